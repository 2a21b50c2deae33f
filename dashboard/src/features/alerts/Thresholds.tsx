/** At how much of a budget is somebody told? As all others, or at thresholds of its own. */
import { Button, Table, Text } from "@mantine/core";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { type ReactElement, useState } from "react";
import { api, read } from "@/api/client";
import { useSession } from "@/api/session";
import { More } from "@/components/More";
import { Name } from "@/components/Name";
import { Empty, Lines, Panel, StateOf } from "@/components/States";
import { type Budget, scopeOf } from "@/lib/budget";
import { counted, wholePercents } from "@/lib/format";
import { RULES, ThresholdForm } from "./ThresholdForm";

/** What is asked for one budget. */
export interface Rule {
  budget: string;
  /** Null: those that all others have. */
  own: readonly number[] | null;
}

export function Thresholds(): ReactElement {
  const mayChange = useSession()?.role !== "member";
  const [edited, setEdited] = useState<Rule | null>(null);
  const rules = useQuery({
    queryKey: RULES,
    queryFn: ({ signal }) => read(api.GET("/api/v1/alerts/rules", { signal })),
  });
  const budgets = useInfiniteQuery({
    queryKey: ["budgets", "thresholds"],
    initialPageParam: null as string | null,
    queryFn: ({ signal, pageParam }) =>
      read(api.GET("/api/v1/budgets", { params: { query: { cursor: pageParam } }, signal })),
    getNextPageParam: (page) => page.next_cursor,
  });
  return (
    <Panel title="When an alert comes">
      <StateOf query={rules} loading={<Lines count={2} />}>
        {(found) => {
          const own = new Map(found.budgets.map((one) => [one.budget, one.thresholds]));
          return (
            <>
              <Text size="sm" mb="md">
                At {wholePercents(found.thresholds)} of the limit of every budget, plan and wallet,
                and {counted(found.grant_expiry_days, "day")} before a grant expires. The
                configuration says so; a budget may have thresholds of its own.
              </Text>
              <StateOf
                query={budgets}
                isEmpty={({ pages }) => pages.every((page) => page.budgets.length === 0)}
                empty={<Empty says="There is no budget yet." />}
              >
                {({ pages }) => (
                  <RuleTable
                    budgets={pages.flatMap((page) => page.budgets)}
                    own={own}
                    edit={mayChange ? setEdited : null}
                  />
                )}
              </StateOf>
              <More query={budgets} />
              {edited && (
                <ThresholdForm
                  rule={edited}
                  shared={found.thresholds}
                  onClose={() => setEdited(null)}
                />
              )}
            </>
          );
        }}
      </StateOf>
    </Panel>
  );
}

interface RuleTableProps {
  budgets: Budget[];
  own: ReadonlyMap<string, readonly number[]>;
  edit: ((rule: Rule) => void) | null;
}

function RuleTable({ budgets, own, edit }: RuleTableProps): ReactElement {
  return (
    <Table.ScrollContainer minWidth={300}>
      <Table aria-label="Thresholds of budgets">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Budget</Table.Th>
            <Table.Th>Alert at</Table.Th>
            {edit && (
              <Table.Th>
                <span className="visually-hidden">Change</span>
              </Table.Th>
            )}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {budgets.map((budget) => {
            const mine = own.get(budget.name) ?? null;
            return (
              <Table.Tr key={budget.budget_id}>
                <Table.Td maw={280}>
                  <Name strong>{budget.name}</Name>
                  <Name minor>{[budget.subject, scopeOf(budget)].filter(Boolean).join(" · ")}</Name>
                </Table.Td>
                <Table.Td>
                  {mine === null ? (
                    <Text size="sm" c="dimmed">
                      as all others
                    </Text>
                  ) : mine.length === 0 ? (
                    "no alert"
                  ) : (
                    wholePercents(mine)
                  )}
                </Table.Td>
                {edit && (
                  <Table.Td ta="right">
                    <Button
                      size="compact-sm"
                      variant="default"
                      aria-label={`Change the thresholds of ${budget.name}`}
                      onClick={() => edit({ budget: budget.name, own: mine })}
                    >
                      Change
                    </Button>
                  </Table.Td>
                )}
              </Table.Tr>
            );
          })}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}
