/** Who changed what, when, and from what to what? */
import { Table, Text } from "@mantine/core";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import type { ReactElement } from "react";
import { Instant } from "@/components/Figures";
import { More } from "@/components/More";
import { SearchField } from "@/components/SearchField";
import stack from "@/components/Stacked.module.css";
import { Empty, StateOf } from "@/components/States";
import { UNKNOWN } from "@/lib/format";
import { useRange } from "@/lib/range";
import { type AuditEntry, useAudit } from "./queries";
import classes from "./Settings.module.css";

const route = getRouteApi("/framed/settings");
const FIELDS = [
  { name: "actor", label: "Who", placeholder: "ana" },
  { name: "action", label: "Action", placeholder: "keys or keys.revoke" },
  { name: "subject", label: "What", placeholder: "key:ci" },
] as const;

export function Audit(): ReactElement {
  const { actor, action, subject } = route.useSearch();
  const { from, to, label } = useRange();
  const entries = useAudit({ actor, action, subject, from, to });
  const all = entries.data?.pages.flatMap((page) => page.changes) ?? [];
  return (
    <>
      <div className={classes.bar}>
        {FIELDS.map((field) => (
          <Filter key={field.name} {...field} />
        ))}
      </div>
      <StateOf
        query={entries}
        isEmpty={() => all.length === 0}
        empty={<Empty says={`Nothing like that was changed by hand in the ${label}.`} />}
      >
        {() => (
          <div className={`panel ${classes.wide}`} style={{ padding: 0 }}>
            <Table aria-label="Changes" verticalSpacing={6} className={stack.stacked}>
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>Time</Table.Th>
                  <Table.Th>Who</Table.Th>
                  <Table.Th>Action</Table.Th>
                  <Table.Th>What</Table.Th>
                  <Table.Th>Details</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {all.map((one) => (
                  <Row key={one.audit_id} entry={one} />
                ))}
              </Table.Tbody>
            </Table>
          </div>
        )}
      </StateOf>
      <More query={entries} label="Older" />
    </>
  );
}

function Filter(props: (typeof FIELDS)[number]): ReactElement {
  const { name, label, placeholder } = props;
  const search = route.useSearch();
  const navigate = useNavigate({ from: "/settings" });
  return (
    <SearchField
      label={label}
      placeholder={placeholder}
      value={search[name] ?? ""}
      onChange={(text) =>
        void navigate({
          search: (before) => ({ ...before, [name]: text || undefined }),
          replace: true,
        })
      }
      isPageSearch={name === "actor"}
    />
  );
}

function Row({ entry }: { entry: AuditEntry }): ReactElement {
  return (
    <Table.Tr>
      <Table.Td data-label="Time">
        <Instant iso={entry.at} />
      </Table.Td>
      <Table.Td data-label="Who" className={classes.any}>
        <bdi>{entry.actor}</bdi>
      </Table.Td>
      <Table.Td data-label="Action">{entry.action}</Table.Td>
      <Table.Td data-label="What" className={classes.any}>
        <bdi>{entry.subject}</bdi>
      </Table.Td>
      <Table.Td data-label="Details" className={classes.any}>
        {entry.details ? <Details details={entry.details} /> : <Text c="dimmed">{UNKNOWN}</Text>}
      </Table.Td>
    </Table.Tr>
  );
}

type Details = Record<string, unknown>;

const isObject = (value: unknown): value is Details =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const text = (value: unknown): string =>
  value === null || value === undefined
    ? UNKNOWN
    : typeof value === "string"
      ? value
      : JSON.stringify(value);

/** What differs between `from` and `to`, else what is worth knowing. */
function Details({ details }: { details: Details }): ReactElement {
  const { from, to } = details;
  if (isObject(from) && isObject(to)) {
    const names = [...new Set([...Object.keys(from), ...Object.keys(to)])];
    const changed = names.filter((name) => JSON.stringify(from[name]) !== JSON.stringify(to[name]));
    return (
      <p className={classes.details}>
        {changed.map((name) => `${name}: ${text(from[name])} → ${text(to[name])}`).join("\n")}
      </p>
    );
  }
  const told = Object.entries(isObject(to) ? to : details);
  return (
    <p className={classes.details}>
      {told
        .filter(([, value]) => value !== null)
        .map(([name, value]) => `${name}: ${text(value)}`)
        .join("\n")}
    </p>
  );
}
