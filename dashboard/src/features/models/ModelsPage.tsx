/** What may be used, at what price? */
import { Badge, Button, Group, Menu, Tabs } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { type ReactElement, useEffect, useMemo, useState } from "react";
import { useIsAdmin } from "@/api/session";
import { Icon } from "@/components/icons";
import { Empty, Lines, StateOf } from "@/components/States";
import { count } from "@/lib/format";
import { BulkBar } from "./BulkBar";
import { CompareView } from "./CompareView";
import { split } from "./compare";
import { Disputes, disputesQuery } from "./Disputes";
import { ModelDrawer } from "./ModelDrawer";
import { ModelFilters } from "./ModelFilters";
import { ModelForm } from "./ModelForm";
import classes from "./Models.module.css";
import { ModelTable } from "./ModelTable";
import { type Model, useFilter, useModel, useModels } from "./queries";
import { Unpriced, unpricedQuery } from "./Unpriced";

const route = getRouteApi("/framed/models");

export default function ModelsPage(): ReactElement {
  const search = route.useSearch();
  const navigate = useNavigate({ from: "/models" });
  const isAdmin = useIsAdmin();
  const unpriced = useQuery(unpricedQuery).data?.unpriced.length ?? 0;
  const disputes = useQuery(disputesQuery).data?.disputes.length ?? 0;
  const edited = useModel(search.edit === "true" ? search.model : undefined).data;
  const compared = useMemo(() => split(search.compare), [search.compare]);
  const closeForm = (): void =>
    void navigate({ search: (before) => ({ ...before, edit: undefined, create: undefined }) });
  return (
    <>
      <Tabs
        value={search.tab ?? "catalogue"}
        onChange={(tab) =>
          void navigate({
            search: (before) => ({
              ...before,
              tab: tab === "catalogue" ? undefined : (tab as "unpriced" | "disputes"),
            }),
          })
        }
        keepMounted={false}
      >
        <Tabs.List mb="md">
          <Tabs.Tab value="catalogue">Catalogue</Tabs.Tab>
          <Tabs.Tab value="unpriced" rightSection={<Waiting number={unpriced} />}>
            Unpriced
          </Tabs.Tab>
          <Tabs.Tab value="disputes" rightSection={<Waiting number={disputes} />}>
            Disputes
          </Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="catalogue">
          <Catalogue canEdit={isAdmin} />
        </Tabs.Panel>
        <Tabs.Panel value="unpriced">
          <Unpriced canEdit={isAdmin} />
        </Tabs.Panel>
        <Tabs.Panel value="disputes">
          <Disputes canEdit={isAdmin} />
        </Tabs.Panel>
      </Tabs>
      <ModelForm
        model={edited}
        opened={isAdmin && (search.create === "true" || edited !== undefined)}
        onClose={closeForm}
        onDone={(name) =>
          void navigate({
            search: (before) => ({ ...before, edit: undefined, create: undefined, model: name }),
          })
        }
      />
      <CompareView
        names={compared}
        onClose={() => void navigate({ search: (before) => ({ ...before, compare: undefined }) })}
      />
    </>
  );
}

function Waiting({ number }: { number: number }): ReactElement | null {
  if (number === 0) return null;
  return (
    <Badge size="sm" color="orange" className={classes.badge}>
      {count(number)}
    </Badge>
  );
}

function Catalogue({ canEdit }: { canEdit: boolean }): ReactElement {
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
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = query;
  // A sorted list is only right with all of it.
  useEffect(() => {
    if (search.sort && hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [search.sort, hasNextPage, isFetchingNextPage, fetchNextPage]);
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
            hasMore={hasNextPage}
            onMore={() => void fetchNextPage()}
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
