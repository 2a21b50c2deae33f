/** How is somebody asked before what cannot be undone? By having the name typed. */
import { Alert, Button, Group, Modal, Stack, Text, TextInput } from "@mantine/core";
import { type FormEvent, type ReactElement, type ReactNode, useState } from "react";

interface ConfirmProps {
  opened: boolean;
  title: string;
  /** What will happen, and to how much. */
  children: ReactNode;
  /** What the button says: a verb. */
  action: string;
  /** To be typed; undefined where a click is enough because it can be undone. */
  name?: string | undefined;
  danger?: boolean;
  disabled?: boolean;
  onConfirm: () => Promise<unknown>;
  onClose: () => void;
}

export function Confirm(props: ConfirmProps): ReactElement {
  return (
    <Modal opened={props.opened} onClose={props.onClose} title={props.title} centered>
      <Question {...props} />
    </Modal>
  );
}

function Question(props: ConfirmProps): ReactElement {
  const { name, action, danger, onConfirm, onClose } = props;
  const [typed, setTyped] = useState("");
  const [isRunning, setIsRunning] = useState(false);
  const [failure, setFailure] = useState<string | null>(null);
  const isSure = name === undefined || typed.trim() === name;
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    if (!isSure) return;
    setIsRunning(true);
    setFailure(null);
    try {
      await onConfirm();
      onClose();
    } catch (error) {
      setFailure(error instanceof Error ? error.message : "It did not work.");
    } finally {
      setIsRunning(false);
    }
  };
  return (
    <form onSubmit={(event) => void submit(event)}>
      <Stack gap="md">
        <div>{props.children}</div>
        {name !== undefined && (
          <TextInput
            label={
              <Text component="span" size="sm">
                To be sure, type <b style={{ wordBreak: "break-all" }}>{name}</b>
              </Text>
            }
            value={typed}
            onChange={(event) => setTyped(event.currentTarget.value)}
            autoComplete="off"
            data-autofocus
          />
        )}
        {failure && (
          <Alert color="red" role="alert">
            {failure}
          </Alert>
        )}
        <Group justify="flex-end" gap="sm">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button
            type="submit"
            color={danger ? "red" : undefined}
            disabled={!isSure || props.disabled}
            loading={isRunning}
            data-autofocus={name === undefined ? true : undefined}
          >
            {action}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
