/** Which models are there, and what does each cost? The list, its filters, and what is done to many. */
import { Button, Group, Menu } from "@mantine/core";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { type ReactElement, useMemo, useState } from "react";
import { useIsAdmin } from "@/api/session";
import { Icon } from "@/components/icons";
import { Empty, Lines, StateOf } from "@/components/States";
import { useWhole } from "@/lib/pages";
import { BulkBar } from "./BulkBar";
import { ModelDrawer } from "./ModelDrawer";
import { ModelFilters } from "./ModelFilters";
import { ModelTable } from "./ModelTable";
import { type Model, useFilter, useModels } from "./queries";

const route = getRouteApi("/framed/models");

export function Catalogue(): ReactElement {
  const canEdit = useIsAdmin();
  const search = route.useSearch();
  const navigate = useNavigate({ from: "/models" });
  const query = useModels();
  const [names, setNames] = useState<ReadonlySet<string>>(new Set());
  const models = useMemo(
    () => query.data?.pages.flatMap((page) => page.models) ?? [],
    [query.data],
  );
  const selected = models.filter((one) => names.has(one.model_name));
  const providers = [...new Set(models.map((one) => one.provider))].sort();
  // A sorted list is only right with all of it.
  useWhole(query, search.sort !== undefined);
  return (
    <>
      <Group justify="space-between" align="flex-start" gap="sm" wrap="wrap-reverse">
        <div style={{ flex: "1 1 320px", minWidth: 0 }}>
          <ModelFilters providers={providers} />
        </div>
        <Group gap="xs" mb="sm">
          <Export />
          {canEdit && (
            <Button
              leftSection={<Icon name="plus" />}
              onClick={() => void navigate({ search: (before) => ({ ...before, create: "true" }) })}
            >
              New model
            </Button>
          )}
        </Group>
      </Group>
      <BulkBar selected={selected} canEdit={canEdit} onClear={() => setNames(new Set())} />
      <StateOf
        query={query}
        loading={<Lines count={9} height={40} />}
        isEmpty={() => models.length === 0}
        empty={<Empty says="No model is like that." />}
      >
        {() => (
          <ModelTable
            models={models}
            selected={selected}
            onSelect={(rows: Model[]) => setNames(new Set(rows.map((one) => one.model_name)))}
            hasMore={query.hasNextPage}
            onMore={() => void query.fetchNextPage()}
            isOld={query.isPlaceholderData}
          />
        )}
      </StateOf>
      <ModelDrawer canEdit={canEdit} models={models} />
    </>
  );
}

/** The pricing table as a file, filtered as the list is. */
function Export(): ReactElement {
  const filter = useFilter();
  const address = (format: string): string => {
    const { capabilities, ...rest } = filter;
    const query = new URLSearchParams({ format });
    for (const [name, value] of Object.entries(rest)) {
      if (value !== undefined) query.set(name, String(value));
    }
    for (const one of capabilities ?? []) query.append("capabilities", one);
    return `/api/v1/models/actions/export?${query}`;
  };
  return (
    <Menu>
      <Menu.Target>
        <Button variant="default" leftSection={<Icon name="download" />}>
          Export
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item component="a" href={address("csv")} download="models.csv">
          CSV
        </Menu.Item>
        <Menu.Item component="a" href={address("json")} download="models.json">
          JSON
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
