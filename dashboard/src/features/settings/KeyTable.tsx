/** Keys as rows: whose they are, what they may, when they were used, and how they end. */
import { Badge, Button, Group, Table, Text } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { type ReactElement, type ReactNode, useState } from "react";
import { useSession } from "@/api/session";
import { Confirm } from "@/components/Confirm";
import { Hint, Instant } from "@/components/Figures";
import stack from "@/components/Stacked.module.css";
import { told } from "@/components/toasts";
import { ago, count, utc } from "@/lib/format";
import { type Key, useRevokeKey } from "./queries";
import { RotateKey } from "./RotateKey";
import { mayRevoke, mayRotate, stateOf } from "./rights";
import classes from "./Settings.module.css";

const HEADS = ["Key", "User", "Project", "May", "Limits", "Last call", "Ends", "State"] as const;

export function KeyTable({ keys, label }: { keys: Key[]; label: string }): ReactElement {
  const session = useSession();
  const revoke = useRevokeKey();
  const [ending, setEnding] = useState<Key | null>(null);
  const [turning, setTurning] = useState<Key | null>(null);
  const isChanged = keys.some((key) => mayRevoke(session, key));
  return (
    <>
      <div className={`panel ${classes.wide}`} style={{ padding: 0 }}>
        <Table aria-label={label} className={stack.stacked}>
          <Table.Thead>
            <Table.Tr>
              {HEADS.map((head) => (
                <Table.Th key={head}>{head}</Table.Th>
              ))}
              {isChanged && (
                <Table.Th>
                  <span className="visually-hidden">Change</span>
                </Table.Th>
              )}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {keys.map((key) => (
              <Row key={key.key_id} shown={key}>
                {isChanged && (
                  <Table.Td data-label="" className={classes.number}>
                    <Group gap={6} wrap="nowrap" justify="flex-end">
                      {mayRotate(session, key) && (
                        <Button
                          size="compact-sm"
                          variant="default"
                          aria-label={`Rotate ${key.name}`}
                          onClick={() => setTurning(key)}
                        >
                          Rotate
                        </Button>
                      )}
                      {mayRevoke(session, key) && (
                        <Button
                          size="compact-sm"
                          variant="default"
                          aria-label={`Revoke ${key.name}`}
                          onClick={() => setEnding(key)}
                        >
                          Revoke
                        </Button>
                      )}
                    </Group>
                  </Table.Td>
                )}
              </Row>
            ))}
          </Table.Tbody>
        </Table>
      </div>
      <RotateKey shown={turning} onClose={() => setTurning(null)} />
      <Confirm
        opened={ending !== null}
        title={`Revoke the key ${ending?.name ?? ""}?`}
        action="Revoke for good"
        name={ending?.name ?? ""}
        danger
        onClose={() => setEnding(null)}
        onConfirm={async () => {
          if (!ending) return;
          await revoke.mutateAsync(ending.key_id);
          told(`${ending.name} is revoked, on all workers within a second.`);
        }}
      >
        <Text size="sm">
          Whatever uses it is refused from then on. It cannot be brought back; what it did stays in
          the logs.
        </Text>
      </Confirm>
    </>
  );
}

interface RowProps {
  shown: Key;
  children: ReactNode;
}

function Row({ shown: key, children }: RowProps): ReactElement {
  const state = stateOf(key);
  const limits = [
    key.calls_per_minute !== null && `${count(key.calls_per_minute)} calls a minute`,
    key.concurrent_calls !== null && `${count(key.concurrent_calls)} at once`,
  ].filter(Boolean);
  return (
    <Table.Tr className={state === "valid" ? "" : classes.off}>
      <Table.Td data-label="Key" className={classes.any}>
        <div>
          <Link to="/logs" search={{ key: key.name }} className={classes.link}>
            <bdi>{key.name}</bdi>
          </Link>
          <Text size="xs" c="dimmed">
            …{key.last4}
            {key.source === "file" && ", of the configuration file"}
          </Text>
        </div>
      </Table.Td>
      <Table.Td data-label="User" className={classes.any}>
        <bdi>{key.user}</bdi>
      </Table.Td>
      <Table.Td data-label="Project" className={classes.any}>
        <bdi>{key.project}</bdi>
      </Table.Td>
      <Table.Td data-label="May">{key.scopes.join(", ")}</Table.Td>
      <Table.Td data-label="Limits">
        {limits.length > 0 ? limits.join(", ") : <Dimmed>none</Dimmed>}
      </Table.Td>
      <Table.Td data-label="Last call" style={{ whiteSpace: "nowrap" }}>
        {key.last_used_at ? (
          <Hint label={utc(key.last_used_at)}>{ago(key.last_used_at)}</Hint>
        ) : (
          <Dimmed>never</Dimmed>
        )}
      </Table.Td>
      <Table.Td data-label="Ends">
        {key.expires_at ? <Instant iso={key.expires_at} /> : <Dimmed>never</Dimmed>}
      </Table.Td>
      <Table.Td data-label="State">
        <Badge color={state === "valid" ? "green" : "gray"} className={classes.badge}>
          {state}
        </Badge>
      </Table.Td>
      {children}
    </Table.Tr>
  );
}

function Dimmed({ children }: { children: string }): ReactElement {
  return (
    <Text size="sm" c="dimmed">
      {children}
    </Text>
  );
}
