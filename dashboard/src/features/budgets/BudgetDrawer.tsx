/** One budget: what it allows, what is spent and held of it, and by whom. */
import { Drawer, Stack, Table, Text } from "@mantine/core";
import { getRouteApi } from "@tanstack/react-router";
import type { ReactElement } from "react";
import { BudgetBar } from "@/components/BudgetBar";
import { Instant } from "@/components/Figures";
import { Leases } from "@/components/Leases";
import { Empty, Lines } from "@/components/States";
import { amountOf, type Budget, scopeOf } from "@/lib/budget";

const route = getRouteApi("/framed/budgets");

interface BudgetDrawerProps {
  /** Those that are loaded. */
  budgets: Budget[];
  /** Whether all are: before, that there is none of a name cannot be said. */
  isWhole: boolean;
}

export function BudgetDrawer({ budgets, isWhole }: BudgetDrawerProps): ReactElement {
  const { budget: name } = route.useSearch();
  const navigate = route.useNavigate();
  const budget = budgets.find((one) => one.name === name);
  return (
    <Drawer
      opened={name !== undefined}
      onClose={() => void navigate({ to: ".", search: (old) => ({ ...old, budget: undefined }) })}
      position="right"
      size="xl"
      title={name ? `Budget ${name}` : ""}
    >
      {budget ? (
        <Stack gap="lg" key={budget.name}>
          <BudgetBar budget={budget} />
          <Terms budget={budget} />
          <Leases of="budget" name={budget.name} />
        </Stack>
      ) : (
        name && (isWhole ? <Empty says="There is no such budget." /> : <Lines count={6} />)
      )}
    </Drawer>
  );
}

function Terms({ budget }: { budget: Budget }): ReactElement {
  const rows: [string, ReactElement | string][] = [
    ["Binds", budget.subject],
    ["Counts", scopeOf(budget) || "every call"],
    ["Limit", `${amountOf(budget.kind, budget.limit)} per ${budget.period}`],
    ["When it is used up", budget.hard ? "calls are refused" : "nothing: it is only counted"],
    ["Period since", <Instant key="since" iso={budget.period_start} />],
    ["Begins anew", budget.resets_at ? <Instant key="resets" iso={budget.resets_at} /> : "never"],
    ["Changed by", budget.source === "file" ? "the configuration file" : "this page and the API"],
  ];
  return (
    <Table aria-label="What it says" withRowBorders={false} verticalSpacing={4}>
      <Table.Tbody>
        {rows.map(([label, value]) => (
          <Table.Tr key={label}>
            <Table.Th scope="row" w={160} fw={400}>
              <Text size="sm" c="dimmed">
                {label}
              </Text>
            </Table.Th>
            <Table.Td style={{ overflowWrap: "anywhere" }}>{value}</Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}
