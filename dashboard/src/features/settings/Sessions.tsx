/** Where is somebody signed in, since when, with what, and how is that ended? */
import { Badge, Button, Group, Modal, Stack, Table, Text } from "@mantine/core";
import type { ReactElement } from "react";
import { Hint, Instant } from "@/components/Figures";
import stack from "@/components/Stacked.module.css";
import { Empty, StateOf } from "@/components/States";
import { failed, told } from "@/components/toasts";
import { agentName } from "@/lib/agent";
import { ago, counted, utc } from "@/lib/format";
import { type SessionKept, useEndSession, useEndSessions, useSessions } from "./account";
import type { User } from "./queries";
import classes from "./Settings.module.css";

const WAYS: Readonly<Record<string, string>> = {
  password: "password",
  link: "sign-in link",
  oidc: "company account",
};

/** Of one's own where no user is named. */
export function Sessions({ user }: { user?: string }): ReactElement {
  const sessions = useSessions(user);
  const endOthers = useEndSessions();
  const others = sessions.data?.sessions.filter((one) => !one.is_current).length ?? 0;
  const end = (): void =>
    endOthers.mutate(user, {
      onError: failed,
      onSuccess: ({ ended }) =>
        told(`${counted(ended, "session")} ${ended === 1 ? "was" : "were"} ended.`),
    });
  return (
    <Stack gap="sm">
      <StateOf
        query={sessions}
        isEmpty={(found) => found.sessions.length === 0}
        empty={<Empty says="Not signed in anywhere." />}
      >
        {(found) => (
          <div className={classes.wide}>
            <Table aria-label="Sessions" className={stack.stacked}>
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>With</Table.Th>
                  <Table.Th>From</Table.Th>
                  <Table.Th>Begun</Table.Th>
                  <Table.Th>Last used</Table.Th>
                  <Table.Th>Ends unused</Table.Th>
                  <Table.Th>
                    <span className="visually-hidden">End</span>
                  </Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {found.sessions.map((one) => (
                  <Row key={one.session_id} session={one} />
                ))}
              </Table.Tbody>
            </Table>
          </div>
        )}
      </StateOf>
      {others > 0 && (
        <Group>
          <Button variant="default" loading={endOthers.isPending} onClick={end}>
            {user === undefined ? "End all others" : "End all"}
          </Button>
        </Group>
      )}
    </Stack>
  );
}

function Row({ session: one }: { session: SessionKept }): ReactElement {
  const end = useEndSession();
  return (
    <Table.Tr>
      <Table.Td data-label="With" className={classes.any}>
        <div title={one.agent ?? undefined}>
          <bdi>{agentName(one.agent)}</bdi>{" "}
          {one.is_current && (
            <Badge color="green" className={classes.badge}>
              this one
            </Badge>
          )}
          <Text size="xs" c="dimmed">
            by {WAYS[one.way] ?? one.way}
          </Text>
        </div>
      </Table.Td>
      <Table.Td data-label="From" className={classes.any}>
        {one.address ?? <Text c="dimmed">unknown</Text>}
      </Table.Td>
      <Table.Td data-label="Begun">
        <Instant iso={one.created_at} />
      </Table.Td>
      <Table.Td data-label="Last used" style={{ whiteSpace: "nowrap" }}>
        <Hint label={utc(one.last_used_at)}>{ago(one.last_used_at)}</Hint>
      </Table.Td>
      <Table.Td data-label="Ends unused" style={{ whiteSpace: "nowrap" }}>
        <Hint label={utc(one.expires_at)}>{ago(one.expires_at)}</Hint>
      </Table.Td>
      <Table.Td data-label="" className={classes.number}>
        {!one.is_current && (
          <Button
            size="compact-sm"
            variant="default"
            loading={end.isPending}
            aria-label={`End the session of ${agentName(one.agent)}, begun ${ago(one.created_at)}`}
            onClick={() => end.mutate(one.session_id, { onError: failed })}
          >
            End
          </Button>
        )}
      </Table.Td>
    </Table.Tr>
  );
}

export function SessionsOfUser({ user, onClose }: { user: User | null; onClose: () => void }) {
  return (
    <Modal
      opened={user !== null}
      onClose={onClose}
      title={`Sessions of ${user?.name ?? ""}`}
      size="xl"
    >
      {user && <Sessions user={user.name} />}
    </Modal>
  );
}
