/** By what can the catalogue be narrowed? All of it stands in the address. */
import { Button, Select } from "@mantine/core";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import type { ReactElement } from "react";
import { SearchField } from "@/components/SearchField";
import { words } from "@/lib/format";
import { CATEGORIES } from "@/lib/names";
import { providerName } from "@/lib/providers";
import classes from "./Models.module.css";
import { CAPABILITIES } from "./queries";

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
      <SearchField
        className={classes.search}
        name="Search models"
        placeholder="Search name or description"
        value={search.q ?? ""}
        onChange={(q) => set({ q: q || undefined })}
      />
      {select(
        "type",
        "Type",
        CATEGORIES.map((value) => ({ value, label: value })),
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
