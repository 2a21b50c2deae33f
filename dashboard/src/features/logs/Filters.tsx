/** By what can the log be narrowed? Four filters in a row, the others on demand. */
import { Button, Menu } from "@mantine/core";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { type ReactElement, useCallback, useState } from "react";
import { Icon } from "@/components/icons";
import { SearchField } from "@/components/SearchField";
import { words } from "@/lib/format";
import { BUCKETS, CALL_CATEGORIES } from "@/lib/names";
import { type Choice, NamedProvider, OneOf, TypedOne } from "./FilterFields";
import classes from "./Logs.module.css";
import { FILTERS, type Filter } from "./query";

const route = getRouteApi("/framed/logs");

const plain = (...values: string[]): Choice[] =>
  values.map((value) => ({ value, label: words(value) }));
const yesNo = (yes: string, no: string): Choice[] => [
  { value: "true", label: yes },
  { value: "false", label: no },
];

const STATUSES: Choice[] = [
  { value: "COMPLETED", label: "completed" },
  { value: "FAILED", label: "failed" },
];
const NONE: Choice[] = [];

/** What is offered besides the four that always stand there. */
const MORE: Partial<Record<Filter, { label: string; choices: Choice[] | "typed" }>> = {
  customer: { label: "Customer", choices: "typed" },
  tag: { label: "Tag", choices: "typed" },
  upstream: { label: "Upstream provider", choices: "typed" },
  category: {
    label: "Category",
    choices: plain(...CALL_CATEGORIES),
  },
  bucket: {
    label: "Bucket",
    choices: BUCKETS.map((value) => ({ value, label: value })),
  },
  ending: {
    label: "Ending",
    choices: plain(
      ...["complete", "caller_left", "caller_left_before_first_byte", "caller_stopped_reading"],
      ...["provider_broke", "all_refused", "over_budget", "internal_error", "interrupted"],
      "cut_short",
    ),
  },
  status_code: {
    label: "HTTP status",
    choices: plain("2xx", "400", "401", "402", "404", "429", "4xx", "500", "502", "503", "5xx"),
  },
  usage_source: {
    label: "Usage source",
    choices: plain("reported", "drained", "estimated", "none"),
  },
  unpriced: { label: "Price", choices: yesNo("unpriced", "priced") },
  fallback: { label: "Fallback", choices: yesNo("more than one try", "first try") },
};

export function Filters(): ReactElement {
  const search = route.useSearch();
  const navigate = useNavigate({ from: "/logs" });
  const [added, setAdded] = useState<Filter[]>([]);
  // The same each time: a field is then only drawn anew when what it shows has changed.
  const set = useCallback(
    (name: Filter, value: string | null): void =>
      void navigate({ search: (before) => ({ ...before, [name]: value ?? undefined }) }),
    [navigate],
  );
  const shown = FILTERS.filter(
    (name) => MORE[name] && (search[name] !== undefined || added.includes(name)),
  );
  const hidden = FILTERS.filter((name) => MORE[name] && !shown.includes(name));
  const isFiltered = FILTERS.some((name) => search[name] !== undefined);
  const select = (name: Filter, label: string, choices: Choice[]): ReactElement => (
    <OneOf
      key={name}
      name={name}
      label={label}
      choices={choices}
      value={search[name] ?? null}
      onChange={set}
    />
  );
  return (
    <div className={classes.filters}>
      <NamedProvider value={search.provider ?? null} onChange={set} />
      <TypedOne name="model" label="Model" value={search.model} onChange={set} />
      {select("status", "Status", STATUSES)}
      <TypedOne name="key" label="Key" value={search.key} onChange={set} />
      <TypedOne name="user" label="User" value={search.user} onChange={set} />
      {shown.map((name) => {
        const { label = name, choices = NONE } = MORE[name] ?? {};
        if (choices !== "typed") return select(name, label, choices);
        return (
          <SearchField
            key={name}
            name={label}
            placeholder={label}
            value={search[name] ?? ""}
            onChange={(typed) => set(name, typed || null)}
            isPageSearch={false}
          />
        );
      })}
      {hidden.length > 0 && (
        <Menu>
          <Menu.Target>
            <Button variant="default" leftSection={<Icon name="plus" size={14} />}>
              Filter
            </Button>
          </Menu.Target>
          <Menu.Dropdown>
            {hidden.map((name) => (
              <Menu.Item key={name} onClick={() => setAdded((before) => [...before, name])}>
                {MORE[name]?.label}
              </Menu.Item>
            ))}
          </Menu.Dropdown>
        </Menu>
      )}
      {isFiltered && (
        <Button
          variant="subtle"
          onClick={() => {
            setAdded([]);
            const none = Object.fromEntries(FILTERS.map((name) => [name, undefined]));
            void navigate({ search: (before) => ({ ...before, ...none }) });
          }}
        >
          Clear
        </Button>
      )}
    </div>
  );
}
