/** Calls are made with a key, as applications make them: which one? */
import { Alert, Button, Group, PasswordInput, Stack, Text } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { type FormEvent, type ReactElement, useState } from "react";
import { api, read, type Schemas } from "@/api/client";
import { useIsAdmin, useSession } from "@/api/session";
import { ago } from "@/lib/format";
import { useProject } from "@/lib/range";
import { key, useKey } from "./key";

const HOUR_MS = 3_600_000;
/** A new key is known to all workers after so long at the latest. */
const SPREAD_MS = 1200;

export function KeyChoice(): ReactElement {
  const held = useKey();
  if (held) {
    return (
      <Group gap="xs">
        <Text size="sm">
          Key {held.name ? <b>{held.name}</b> : "that you gave"}
          {held.expiresAt && `, ends ${ago(held.expiresAt)}`}
        </Text>
        <Button size="compact-sm" variant="subtle" onClick={() => key.set(null)}>
          Forget it
        </Button>
      </Group>
    );
  }
  return <NoKey />;
}

function NoKey(): ReactElement {
  const isAdmin = useIsAdmin();
  const session = useSession();
  const project = useProject();
  const [typed, setTyped] = useState("");
  const make = useMutation({
    mutationFn: async () => {
      const user = session?.user ?? "playground";
      const body = {
        name: `playground-${user}-${new Date().toISOString().slice(0, 19).replaceAll(":", "")}`,
        user,
        ...(project && { project }),
        scopes: ["call"],
        expires_at: new Date(Date.now() + HOUR_MS).toISOString(),
      };
      const order = body as Schemas["tollbridge__api__control__keys__KeyOrder"];
      const made = await read(api.POST("/api/v1/keys", { body: order }));
      await new Promise((resolve) => setTimeout(resolve, SPREAD_MS));
      return made;
    },
    onSuccess: (made) => key.set({ text: made.key, name: made.name, expiresAt: made.expires_at }),
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (typed.trim()) key.set({ text: typed.trim() });
  };
  return (
    <Stack gap="sm">
      <Text size="sm">
        Calls are made and paid for with an API key, as those of applications are. It stays in this
        page’s memory alone: loading the page anew forgets it.
      </Text>
      {isAdmin && (
        <Group>
          <Button loading={make.isPending} onClick={() => make.mutate()}>
            Make a key for an hour
          </Button>
        </Group>
      )}
      <form onSubmit={submit}>
        <Group gap="xs" align="flex-end">
          <PasswordInput
            label={isAdmin ? "Or use one that you have" : "Your API key"}
            value={typed}
            onChange={(event) => setTyped(event.currentTarget.value)}
            autoComplete="off"
            style={{ flex: "1 1 200px" }}
          />
          <Button type="submit" variant="default" disabled={!typed.trim()}>
            Use it
          </Button>
        </Group>
      </form>
      {make.error && (
        <Alert color="red" role="alert">
          {make.error.message}
        </Alert>
      )}
    </Stack>
  );
}
