/** As whom are calls made? Each belongs to a key: its limits hold, and its budgets pay. */
import { Alert, Anchor, Button, Group, PasswordInput, Select, Stack, Text } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, type ReactElement, useState } from "react";
import { api, read, type Schemas } from "@/api/client";
import { useIsAdmin, useSession } from "@/api/session";
import { StateOf } from "@/components/States";
import { useProject } from "@/lib/range";
import { CALL_KEYS, type CallKey, typedKey, useCallKeys, useTypedKey } from "./key";

const DAY_MS = 86_400_000;
/** A new key is known to all workers after so long at the latest. */
const SPREAD_MS = 1200;

interface KeyChoiceProps {
  /** The key that is called as; undefined: none is chosen. */
  value: string | undefined;
  onChange: (key: string | undefined) => void;
}

export function KeyChoice({ value, onChange }: KeyChoiceProps): ReactElement {
  const keys = useCallKeys();
  const typed = useTypedKey();
  const [isTyping, setIsTyping] = useState(false);
  if (typed !== null) {
    return (
      <Group gap="xs">
        <Text size="sm">The key that you gave, in this page’s memory alone.</Text>
        <Button size="compact-sm" variant="subtle" onClick={() => typedKey.set(null)}>
          Forget it
        </Button>
      </Group>
    );
  }
  return (
    <Stack gap="sm">
      <StateOf query={keys}>
        {(able) =>
          able.length > 0 ? (
            <Chosen keys={able} value={value} onChange={onChange} />
          ) : (
            <NoKey onMade={onChange} />
          )
        }
      </StateOf>
      {isTyping ? (
        <Typed onDone={() => setIsTyping(false)} />
      ) : (
        <Anchor
          component="button"
          type="button"
          size="xs"
          style={{ alignSelf: "flex-start" }}
          onClick={() => setIsTyping(true)}
        >
          Use a key that you have in hand
        </Anchor>
      )}
    </Stack>
  );
}

function Chosen(props: KeyChoiceProps & { keys: CallKey[] }): ReactElement {
  const { keys, value, onChange } = props;
  const chosen = keys.find((key) => key.name === value);
  return (
    <Select
      label="Calls are made as the key"
      placeholder="Choose one"
      data={keys.map((key) => key.name)}
      value={chosen?.name ?? null}
      allowDeselect={false}
      searchable
      nothingFoundMessage="No key is called so"
      onChange={(name) => onChange(name ?? undefined)}
      description={
        chosen
          ? `of ${chosen.user}, project ${chosen.project}; its limits hold, and its budgets pay`
          : "Its limits hold, and its budgets pay"
      }
    />
  );
}

function NoKey({ onMade }: { onMade: (key: string) => void }): ReactElement {
  const isAdmin = useIsAdmin();
  const session = useSession();
  const project = useProject();
  const queries = useQueryClient();
  const make = useMutation({
    mutationFn: async () => {
      const user = session?.user ?? "playground";
      const body = {
        name: `playground-${user}-${new Date().toISOString().slice(0, 19).replaceAll(":", "")}`,
        user,
        ...(project && { project }),
        scopes: ["call"],
        expires_at: new Date(Date.now() + DAY_MS).toISOString(),
      };
      const order = body as Schemas["tollbridge__api__control__keys__KeyOrder"];
      const made = await read(api.POST("/api/v1/keys", { body: order }));
      await new Promise((resolve) => setTimeout(resolve, SPREAD_MS));
      return made;
    },
    onSuccess: async (made) => {
      await queries.invalidateQueries({ queryKey: CALL_KEYS });
      onMade(made.name);
    },
  });
  if (!isAdmin) {
    return (
      <Text size="sm">
        You have no key yet, and each call belongs to one. An admin, or a manager of your project,
        makes you one under Settings.
      </Text>
    );
  }
  return (
    <>
      <Text size="sm">There is no key yet, and each call belongs to one.</Text>
      <Group>
        <Button loading={make.isPending} onClick={() => make.mutate()}>
          Make a key for a day
        </Button>
      </Group>
      {make.error && (
        <Alert color="red" role="alert">
          {make.error.message}
        </Alert>
      )}
    </>
  );
}

function Typed({ onDone }: { onDone: () => void }): ReactElement {
  const [text, setText] = useState("");
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (!text.trim()) return;
    typedKey.set(text.trim());
    onDone();
  };
  return (
    <form onSubmit={submit}>
      <Group gap="xs" align="flex-end">
        <PasswordInput
          label="Your API key"
          value={text}
          onChange={(event) => setText(event.currentTarget.value)}
          autoComplete="off"
          data-autofocus
          style={{ flex: "1 1 200px" }}
        />
        <Button type="submit" variant="default" disabled={!text.trim()}>
          Use it
        </Button>
      </Group>
    </form>
  );
}
