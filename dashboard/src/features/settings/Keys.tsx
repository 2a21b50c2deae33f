/** Which keys are there, whose are they, and when were they used? */
import { Badge, Button, Checkbox, Table, Text } from "@mantine/core";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { type ReactElement, useState } from "react";
import { useIsAdmin } from "@/api/session";
import { Confirm } from "@/components/Confirm";
import { Instant } from "@/components/Figures";
import { Icon } from "@/components/icons";
import { More } from "@/components/More";
import { SearchField } from "@/components/SearchField";
import { Empty, Lines, StateOf } from "@/components/States";
import { told } from "@/components/toasts";
import { ago, count, UNKNOWN } from "@/lib/format";
import { useWhole } from "@/lib/pages";
import { KeyForm } from "./KeyForm";
import { type Key, useKeys, useLastUse, useRevokeKey } from "./queries";
import classes from "./Settings.module.css";

const route = getRouteApi("/framed/settings");
const HEADS = ["Key", "User", "Project", "May", "Limits", "Last use", "Ends", "State"] as const;

function stateOf(key: Key): { word: string; color: string } {
  if (key.revoked_at) return { word: "revoked", color: "gray" };
  if (key.expires_at && Date.parse(key.expires_at) <= Date.now()) {
    return { word: "expired", color: "gray" };
  }
  return { word: "valid", color: "green" };
}

function noneText(q: string, hidden: number, hasMore: boolean): string {
  if (q) return "No key is called so.";
  if (hidden === 0) return "There is no key yet.";
  return hasMore ? "All keys that are loaded have ended." : "All keys have ended.";
}

export function Keys(): ReactElement {
  const { q = "", revoked } = route.useSearch();
  const navigate = useNavigate({ from: "/settings" });
  const isAdmin = useIsAdmin();
  const keys = useKeys();
  const revoke = useRevokeKey();
  const [isAdding, setIsAdding] = useState(false);
  const [ending, setEnding] = useState<Key | null>(null);
  // What is searched may stand on any page.
  useWhole(keys, q !== "");
  const all = keys.data?.pages.flatMap((page) => page.keys) ?? [];
  const found = all.filter(
    (key) =>
      (revoked === "true" || stateOf(key).word === "valid") &&
      [key.name, key.user, key.project].some((text) =>
        text.toLowerCase().includes(q.toLowerCase()),
      ),
  );
  const hidden = all.filter((key) => stateOf(key).word !== "valid").length;
  const add = isAdmin && (
    <Button leftSection={<Icon name="plus" />} onClick={() => setIsAdding(true)}>
      New key
    </Button>
  );
  return (
    <>
      <div className={classes.bar}>
        <SearchField
          className={classes.grow}
          name="Search keys"
          placeholder="Search name, user or project"
          value={q}
          onChange={(text) =>
            void navigate({
              search: (before) => ({ ...before, q: text || undefined }),
              replace: true,
            })
          }
        />
        {hidden > 0 && (
          <Checkbox
            label={`Also ${count(hidden)}${keys.hasNextPage ? "+" : ""} that ended`}
            mb={8}
            checked={revoked === "true"}
            onChange={(event) => {
              const isShown = event.currentTarget.checked;
              void navigate({
                search: (before) => ({ ...before, revoked: isShown ? "true" : undefined }),
                replace: true,
              });
            }}
          />
        )}
        {add}
      </div>
      <StateOf
        query={keys}
        isEmpty={() => found.length === 0}
        empty={
          q && keys.hasNextPage ? (
            <Lines count={2} />
          ) : (
            <Empty says={noneText(q, hidden, keys.hasNextPage)}>{!q && add}</Empty>
          )
        }
      >
        {() => (
          <div className={`panel ${classes.wide}`} style={{ padding: 0 }}>
            <Table aria-label="Keys" className={classes.stacked}>
              <Table.Thead>
                <Table.Tr>
                  {HEADS.map((head) => (
                    <Table.Th key={head}>{head}</Table.Th>
                  ))}
                  {isAdmin && (
                    <Table.Th>
                      <span className="visually-hidden">Revoke</span>
                    </Table.Th>
                  )}
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {found.map((key) => (
                  <Row key={key.key_id} shown={key} onRevoke={isAdmin ? setEnding : undefined} />
                ))}
              </Table.Tbody>
            </Table>
          </div>
        )}
      </StateOf>
      <More query={keys} />
      <KeyForm opened={isAdding} onClose={() => setIsAdding(false)} />
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

function Row(props: { shown: Key; onRevoke: ((key: Key) => void) | undefined }): ReactElement {
  const { shown: key, onRevoke } = props;
  const state = stateOf(key);
  const limits = [
    key.calls_per_minute !== null && `${count(key.calls_per_minute)} calls a minute`,
    key.concurrent_calls !== null && `${count(key.concurrent_calls)} at once`,
  ].filter(Boolean);
  return (
    <Table.Tr className={state.word === "valid" ? "" : classes.off}>
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
        {limits.length > 0 ? (
          limits.join(", ")
        ) : (
          <Text size="sm" c="dimmed">
            none
          </Text>
        )}
      </Table.Td>
      <Table.Td data-label="Last use">
        <LastUse name={key.name} />
      </Table.Td>
      <Table.Td data-label="Ends">
        {key.expires_at ? (
          <Instant iso={key.expires_at} />
        ) : (
          <Text size="sm" c="dimmed">
            never
          </Text>
        )}
      </Table.Td>
      <Table.Td data-label="State">
        <Badge color={state.color} className={classes.badge}>
          {state.word}
        </Badge>
      </Table.Td>
      {onRevoke && (
        <Table.Td data-label="" className={classes.number}>
          {state.word !== "revoked" && (
            <Button
              size="compact-sm"
              variant="default"
              disabled={key.source === "file"}
              title={key.source === "file" ? "The configuration file alone changes it" : undefined}
              aria-label={`Revoke ${key.name}`}
              onClick={() => onRevoke(key)}
            >
              Revoke
            </Button>
          )}
        </Table.Td>
      )}
    </Table.Tr>
  );
}

function LastUse({ name }: { name: string }): ReactElement {
  const { data, isPending, isError } = useLastUse(name);
  if (isPending) return <span>…</span>;
  if (isError || !data) {
    return (
      <Text size="sm" c="dimmed">
        {isError ? UNKNOWN : "never"}
      </Text>
    );
  }
  return (
    <span title={data} style={{ whiteSpace: "nowrap" }}>
      {ago(data)}
    </span>
  );
}
