/** As whom is one signed in here, until when, and how does one sign out? */
import { Button, Code, Group, Stack, Text } from "@mantine/core";
import type { ReactElement } from "react";
import { useIsAdmin, useSession, useSignOut } from "@/api/session";
import { Instant } from "@/components/Figures";
import { Panel } from "@/components/States";

export function Sessions(): ReactElement | null {
  const session = useSession();
  const signOut = useSignOut();
  const isAdmin = useIsAdmin();
  if (!session) return null;
  return (
    <Panel title="This session">
      <Stack gap="sm">
        <Text size="sm">
          You are <b>{session.user}</b>, {session.role}
          {session.projects.length > 0 && ` of ${session.projects.join(", ")}`}. Unused, the session
          ends <Instant iso={session.expires_at} />; using it moves that on.
        </Text>
        <Group>
          <Button variant="default" onClick={() => void signOut()}>
            Sign out here
          </Button>
        </Group>
        <Text size="sm" c="dimmed">
          {isAdmin
            ? "A new password, under Users, ends all sessions of its user, on every device."
            : "To end your sessions elsewhere, ask an admin for a new password: it ends all of them."}{" "}
          Programs use keys: <Code>Authorization: Bearer …</Code>
        </Text>
      </Stack>
    </Panel>
  );
}
