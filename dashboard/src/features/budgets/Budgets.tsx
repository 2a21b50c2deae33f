/** Which budgets are there, what is spent, held and left of each, and when does it run out? */
import { Button, Group, Text } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { type ReactElement, useState } from "react";
import { api, read } from "@/api/client";
import { type Session, useSession } from "@/api/session";
import bar from "@/components/BudgetBar.module.css";
import { Icon } from "@/components/icons";
import { More } from "@/components/More";
import { SearchField } from "@/components/SearchField";
import { Empty, Lines, Panel, StateOf } from "@/components/States";
import { type Budget, isUsedUp } from "@/lib/budget";
import { useWhole } from "@/lib/pages";
import { BudgetDrawer } from "./BudgetDrawer";
import { BudgetForm } from "./BudgetForm";
import { BudgetRow } from "./BudgetRow";
import classes from "./Budgets.module.css";

const route = getRouteApi("/framed/budgets");
const REFRESH_MS = 5000;

export function Budgets(): ReactElement {
  const { find, budget: opened } = route.useSearch();
  const navigate = route.useNavigate();
  const session = useSession();
  const mayAdd = session?.role !== "member";
  const [edited, setEdited] = useState<Budget | "new" | null>(null);
  const query = useInfiniteQuery({
    queryKey: ["budgets", "all"],
    initialPageParam: null as string | null,
    queryFn: ({ signal, pageParam }) =>
      read(api.GET("/api/v1/budgets", { params: { query: { cursor: pageParam } }, signal })),
    getNextPageParam: (page) => page.next_cursor,
    // What is held changes with every call.
    refetchInterval: REFRESH_MS,
  });
  // What is searched, or open, may stand on any page.
  useWhole(query, find !== undefined || opened !== undefined);
  const all = query.data?.pages.flatMap((page) => page.budgets) ?? [];
  const add = (
    <Button
      size="compact-sm"
      leftSection={<Icon name="plus" size={14} />}
      onClick={() => setEdited("new")}
    >
      New budget
    </Button>
  );
  return (
    <Panel title="Budgets" aside={mayAdd && add}>
      <Group justify="space-between" mb="sm" gap="sm">
        <SearchField
          w={280}
          maw="100%"
          name="Find a budget"
          placeholder="Find by name or subject"
          value={find ?? ""}
          onChange={(text) =>
            void navigate({
              to: ".",
              replace: true,
              search: (old) => ({ ...old, find: text || undefined }),
            })
          }
        />
        <Legend />
      </Group>
      <StateOf
        query={query}
        isEmpty={({ pages }) => pages.every((page) => page.budgets.length === 0)}
        empty={
          <Empty says="No budget limits anything: whoever has a key may spend.">
            {mayAdd && add}
          </Empty>
        }
      >
        {() => (
          <List
            budgets={narrowed(all, find)}
            mayEdit={(budget) => manages(session, budget)}
            edit={setEdited}
            isWhole={!query.hasNextPage}
          />
        )}
      </StateOf>
      <More query={query} />
      <BudgetDrawer budgets={all} isWhole={query.isSuccess && !query.hasNextPage} />
      {edited && (
        <BudgetForm budget={edited === "new" ? null : edited} onClose={() => setEdited(null)} />
      )}
    </Panel>
  );
}

interface ListProps {
  budgets: Budget[];
  mayEdit: (budget: Budget) => boolean;
  edit: (budget: Budget) => void;
  /** Whether all pages are there: before, that nothing fits cannot be said. */
  isWhole: boolean;
}

function List({ budgets, mayEdit, edit, isWhole }: ListProps): ReactElement {
  if (budgets.length === 0) {
    return isWhole ? <Empty says="No budget fits this search." /> : <Lines count={2} />;
  }
  return (
    <ul className={classes.list} aria-label="Budgets">
      {budgets.map((budget) => (
        <li key={budget.budget_id}>
          <BudgetRow budget={budget} edit={mayEdit(budget) ? edit : null} />
        </li>
      ))}
    </ul>
  );
}

/** An admin changes all, a manager those of their projects. */
function manages(session: Session | null, { subject }: Budget): boolean {
  if (session?.role === "admin") return true;
  return session?.projects.some((one) => subject === `project:${one}`) ?? false;
}

function Legend(): ReactElement {
  return (
    <Group gap="md">
      {[
        { mark: bar.spent, label: "spent" },
        { mark: bar.held, label: "held for calls under way" },
        { mark: bar.left, label: "left" },
      ].map(({ mark, label }) => (
        <Group key={label} gap={6} wrap="nowrap">
          <span className={`${classes.mark} ${mark}`} aria-hidden="true" />
          <Text size="xs" c="dimmed">
            {label}
          </Text>
        </Group>
      ))}
    </Group>
  );
}

/** Those that fit the search; what is used up stands first, what is switched off last. */
function narrowed(budgets: Budget[], find: string | undefined): Budget[] {
  const wanted = find?.trim().toLowerCase() ?? "";
  const rank = (one: Budget): number => (one.enabled ? (isUsedUp(one) ? 0 : 1) : 2);
  return budgets
    .filter((one) => `${one.name} ${one.subject}`.toLowerCase().includes(wanted))
    .sort((a, b) => rank(a) - rank(b));
}
