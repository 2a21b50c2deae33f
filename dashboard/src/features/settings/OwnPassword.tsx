/** How does one choose another password for oneself? It needs the one so far. */
import { Alert, Button, Group, PasswordInput, Stack, Text } from "@mantine/core";
import { type FormEvent, type ReactElement, useState } from "react";
import type { Session } from "@/api/session";
import { Panel } from "@/components/States";
import { told } from "@/components/toasts";
import { counted } from "@/lib/format";
import { PASSWORD_LENGTH_MIN, useOwnPassword } from "./account";

export function OwnPassword({ session }: { session: Session }): ReactElement {
  return (
    <Panel title="Password">
      {!session.has_password && session.oidc ? (
        <Text size="sm">
          You sign in with the company account, and have no password here. An admin may give you
          one.
        </Text>
      ) : (
        <Form session={session} />
      )}
    </Panel>
  );
}

function Form({ session }: { session: Session }): ReactElement {
  const change = useOwnPassword();
  const [current, setCurrent] = useState("");
  const [password, setPassword] = useState("");
  const isShort = password.length < PASSWORD_LENGTH_MIN;
  const isReady = !isShort && (current !== "" || !session.has_password);
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    if (!isReady) return;
    try {
      const { sessions_ended } = await change.mutateAsync({
        current_password: session.has_password ? current : null,
        password,
      });
      setCurrent("");
      setPassword("");
      told(`Your password was changed; ${counted(sessions_ended, "session")} elsewhere ended.`);
    } catch {
      // Shown below; what was typed stays.
    }
  };
  return (
    <form onSubmit={(event) => void submit(event)}>
      <Stack gap="sm">
        {/* For password managers: whose password it is. */}
        <input type="hidden" name="username" autoComplete="username" value={session.user} />
        {session.has_password && (
          <PasswordInput
            label="Password so far"
            autoComplete="current-password"
            value={current}
            onChange={(event) => setCurrent(event.currentTarget.value)}
          />
        )}
        <PasswordInput
          label="New password"
          description={`At least ${PASSWORD_LENGTH_MIN} characters`}
          autoComplete="new-password"
          value={password}
          error={password !== "" && isShort ? "Too short" : undefined}
          onChange={(event) => setPassword(event.currentTarget.value)}
        />
        {change.error && (
          <Alert color="red" role="alert">
            {change.error.message}
          </Alert>
        )}
        <Group justify="space-between" gap="sm">
          <Text size="sm" c="dimmed">
            It ends your sessions elsewhere.
          </Text>
          <Button type="submit" disabled={!isReady} loading={change.isPending}>
            Change the password
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
