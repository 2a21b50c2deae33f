/** How is a model made or edited? In groups that fold; nothing that is typed gets lost. */
import { Accordion, Alert, Button, Group, Modal, Text } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, type ReactElement, useState } from "react";
import { ApiError } from "@/api/errors";
import { failed, told } from "@/components/toasts";
import { changes, type Draft, draftOf, faults, order } from "./draft";
import { Capabilities, Identity, Prices, Sizes, State } from "./FormGroups";
import { type Model, readChanges, refresh, useCreate, useEdit, useRestore } from "./queries";

const GROUPS = [
  ["identity", "Name and type", Identity],
  ["prices", "Prices", Prices],
  ["sizes", "Limits and sizes", Sizes],
  ["capabilities", "Capabilities", Capabilities],
  ["state", "State and order", State],
] as const;
const CONFLICT = 409;

interface ModelFormProps {
  /** Undefined: a new one. */
  model: Model | undefined;
  opened: boolean;
  onClose: () => void;
  onDone: (name: string) => void;
}

export function ModelForm(props: ModelFormProps): ReactElement {
  const { model, opened, onClose } = props;
  return (
    <Modal
      opened={opened}
      onClose={onClose}
      title={model ? `Edit ${model.model_name}` : "New model"}
      size="lg"
      closeOnClickOutside={false}
      styles={{ title: { overflowWrap: "anywhere" } }}
    >
      <Form key={model?.model_name ?? ""} {...props} />
    </Modal>
  );
}

function Form({ model, onClose, onDone }: ModelFormProps): ReactElement {
  // What was there when the form was opened: the change is told apart from it.
  const [base, setBase] = useState(model);
  const [draft, setDraft] = useState<Draft>(() => draftOf(model));
  const [isTried, setIsTried] = useState(false);
  const queries = useQueryClient();
  const create = useCreate();
  const edit = useEdit();
  const undo = useUndo();
  const found = faults(draft);
  const error = create.error ?? edit.error;
  const isStale = error instanceof ApiError && error.status === CONFLICT && base !== undefined;
  const set = (changed: Partial<Draft>): void => setDraft((before) => ({ ...before, ...changed }));

  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    setIsTried(true);
    if (Object.keys(found).length > 0) return;
    try {
      if (base) {
        const body = changes(draft, base);
        if (Object.keys(body).length > 1) {
          const after = await edit.mutateAsync({ name: base.model_name, body });
          told(`${base.model_name} was changed.`, () => undo(after));
        }
        onDone(base.model_name);
      } else {
        const made = await create.mutateAsync(order(draft));
        told(`${made.model_name} was added.`);
        onDone(made.model_name);
      }
    } catch {
      // Shown below; what was typed stays.
    }
  };
  const takeNewest = async (): Promise<void> => {
    await refresh(queries);
    const newest = queries.getQueryData<Model>(["models", "one", base?.model_name]);
    if (newest) setBase(newest);
    edit.reset();
  };
  return (
    <form onSubmit={(event) => void submit(event)} noValidate>
      <Accordion
        multiple
        defaultValue={["identity", "prices"]}
        variant="separated"
        chevronPosition="left"
      >
        {GROUPS.map(([name, title, Group_]) => (
          <Accordion.Item key={name} value={name}>
            <Accordion.Control>
              <Text fw={600} size="sm">
                {title}
              </Text>
            </Accordion.Control>
            <Accordion.Panel>
              <Group_ draft={draft} set={set} faults={isTried ? found : {}} isNew={!base} />
            </Accordion.Panel>
          </Accordion.Item>
        ))}
      </Accordion>
      {isTried && Object.keys(found).length > 0 && (
        <Alert color="red" mt="md" role="alert">
          {Object.values(found).join(". ")}.
        </Alert>
      )}
      {error && (
        <Alert color="red" mt="md" role="alert" title="It was not saved">
          <Text size="sm">{error.message}</Text>
          {isStale && (
            <Button mt="xs" size="compact-sm" variant="default" onClick={() => void takeNewest()}>
              Read the newest, keep what I typed
            </Button>
          )}
        </Alert>
      )}
      <Group justify="flex-end" mt="md">
        <Button variant="default" onClick={onClose}>
          Cancel
        </Button>
        <Button type="submit" loading={create.isPending || edit.isPending}>
          {base ? "Save" : "Add model"}
        </Button>
      </Group>
    </form>
  );
}

/** Bring back the state before the last change. */
function useUndo(): (after: Model) => Promise<void> {
  const restore = useRestore();
  return async (after) => {
    try {
      const before = (await readChanges(after.model_name, 2))[1];
      if (!before) return;
      const { model_name: name, version } = after;
      await restore.mutateAsync({ name, version, change_id: before.change_id });
      told(`${name} is as it was before.`);
    } catch (error) {
      failed(error);
    }
  };
}
