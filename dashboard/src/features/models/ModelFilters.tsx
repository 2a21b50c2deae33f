/** By what can the catalogue be narrowed? All of it stands in the address. */
import { Button, CloseButton, Select, TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { type ReactElement, useEffect, useState } from "react";
import { Icon } from "@/components/icons";
import { words } from "@/lib/format";
import { providerName } from "@/lib/providers";
import classes from "./Models.module.css";
import { CAPABILITIES, TYPES } from "./queries";

const route = getRouteApi("/framed/models");
const NAMES = ["type", "provider", "active", "default", "capability"] as const;

export function ModelFilters({ providers }: { providers: readonly string[] }): ReactElement {
  const search = route.useSearch();
  const navigate = useNavigate({ from: "/models" });
  const set = (changed: Record<string, string | undefined>): void =>
    void navigate({ search: (before) => ({ ...before, ...changed }), replace: true });
  const select = (
    name: (typeof NAMES)[number],
    label: string,
    data: { value: string; label: string }[],
  ): ReactElement => (
    <Select
      aria-label={label}
      placeholder={label}
      data={data}
      value={search[name] ?? null}
      onChange={(value) => set({ [name]: value ?? undefined })}
      clearable
    />
  );
  const known =
    search.provider && !providers.includes(search.provider)
      ? [search.provider, ...providers]
      : providers;
  const isFiltered = search.q !== undefined || NAMES.some((name) => search[name] !== undefined);
  return (
    <div className={`${classes.bar} ${classes.filters}`}>
      <SearchField value={search.q ?? ""} onChange={(q) => set({ q: q || undefined })} />
      {select(
        "type",
        "Type",
        TYPES.map((value) => ({ value, label: value })),
      )}
      {select(
        "provider",
        "Provider",
        known.map((value) => ({ value, label: providerName(value) })),
      )}
      {select("active", "State", [
        { value: "true", label: "active" },
        { value: "false", label: "not active" },
      ])}
      {select("default", "Default", [
        { value: "true", label: "defaults" },
        { value: "false", label: "others" },
      ])}
      {select(
        "capability",
        "Capability",
        CAPABILITIES.map((value) => ({ value, label: words(value) })),
      )}
      {isFiltered && (
        <Button
          variant="subtle"
          onClick={() =>
            set({ q: undefined, ...Object.fromEntries(NAMES.map((name) => [name, undefined])) })
          }
        >
          Clear
        </Button>
      )}
    </div>
  );
}

const WAIT_MS = 250;

function SearchField(props: { value: string; onChange: (text: string) => void }): ReactElement {
  const [typed, setTyped] = useState(props.value);
  const tell = useDebouncedCallback((text: string) => props.onChange(text.trim()), WAIT_MS);
  useEffect(
    () => setTyped((now) => (now.trim() === props.value ? now : props.value)),
    [props.value],
  );
  return (
    <TextInput
      className={classes.search}
      aria-label="Search models"
      placeholder="Search name or description"
      data-page-search
      leftSection={<Icon name="search" />}
      value={typed}
      maxLength={200}
      onChange={(event) => {
        setTyped(event.currentTarget.value);
        tell(event.currentTarget.value);
      }}
      onKeyDown={(event) => {
        if (event.key === "Escape") event.currentTarget.blur();
      }}
      rightSection={
        typed === "" ? null : (
          <CloseButton
            size="sm"
            aria-label="Clear the search"
            onClick={() => {
              setTyped("");
              props.onChange("");
            }}
          />
        )
      }
    />
  );
}
