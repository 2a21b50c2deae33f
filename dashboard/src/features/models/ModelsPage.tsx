/** What may be used, at what price? */
import { Badge, Button, Group, Menu, Tabs } from "@mantine/core";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { type ReactElement, useMemo, useState } from "react";
import { useIsAdmin } from "@/api/session";
import { Icon } from "@/components/icons";
import { Empty, Lines, StateOf } from "@/components/States";
import { count } from "@/lib/format";
import { useWhole } from "@/lib/pages";
import { BulkBar } from "./BulkBar";
import { CompareView } from "./CompareView";
import { split } from "./compare";
import { Disputes } from "./Disputes";
import { ModelDrawer } from "./ModelDrawer";
import { ModelFilters } from "./ModelFilters";
import { ModelForm } from "./ModelForm";
import { ModelTable } from "./ModelTable";
import { type Model, useDisputes, useFilter, useModel, useModels, useUnpriced } from "./queries";
import { Unpriced } from "./Unpriced";

const route = getRouteApi("/framed/models");

export default function ModelsPage(): ReactElement {
  const search = route.useSearch();
  const navigate = useNavigate({ from: "/models" });
  const isAdmin = useIsAdmin();
  const gaps = useUnpriced();
  const unpriced = gaps.data?.pages.flatMap((page) => page.unpriced).length ?? 0;
  const contested = useDisputes();
  const disputes = contested.data?.pages.flatMap((page) => page.disputes).length ?? 0;
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
          <Tabs.Tab
            value="unpriced"
            rightSection={<Waiting number={unpriced} hasMore={gaps.hasNextPage} />}
          >
            Unpriced
          </Tabs.Tab>
          <Tabs.Tab
            value="disputes"
            rightSection={<Waiting number={disputes} hasMore={contested.hasNextPage} />}
          >
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

function Waiting(props: { number: number; hasMore: boolean }): ReactElement | null {
  if (props.number === 0) return null;
  return (
    <Badge size="sm" color="orange">
      {count(props.number)}
      {props.hasMore && "+"}
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
