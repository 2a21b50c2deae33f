/** What is left? Spent, held and left of each budget, and when it runs out at this pace. */
import { Anchor, Group, RingProgress, SimpleGrid, Text } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import type { ReactElement } from "react";
import { Spent } from "@/components/BudgetBar";
import { Name } from "@/components/Name";
import { Panel, StateOf } from "@/components/States";
import { amountOf, type Budget, isUsedUp, outlookOf, partsOf, useOutlooks } from "@/lib/budget";
import { percent, words } from "@/lib/format";
import { useBudgets } from "./query";

const SHOWN_MAX = 6;

export function Budgets(): ReactElement {
  const budgets = useBudgets();
  return (
    <Panel
      title="Budgets"
      aside={
        <Anchor size="sm" renderRoot={(props) => <Link to="/budgets" {...props} />}>
          All budgets
        </Anchor>
      }
    >
      <StateOf
        query={budgets}
        isEmpty={(page) => page.budgets.length === 0}
        empty={
          <Text size="sm" c="dimmed">
            No budget limits the spending. One is set under Budgets & plans.
          </Text>
        }
      >
        {(page) => (
          <SimpleGrid cols={{ base: 1, md: 2, lg: 3 }} spacing="lg">
            {page.budgets.slice(0, SHOWN_MAX).map((budget) => (
              <OneBudget key={budget.budget_id} budget={budget} />
            ))}
          </SimpleGrid>
        )}
      </StateOf>
    </Panel>
  );
}

const RING_PX = 84;

function OneBudget({ budget }: { budget: Budget }): ReactElement {
  const outlooks = useOutlooks().data;
  const { share, spentPart, heldPart } = partsOf(budget);
  const isOver = isUsedUp(budget);
  const spentColor = isOver ? "red.7" : "var(--mantine-primary-color-filled)";
  return (
    <Group wrap="nowrap" gap="sm" align="center">
      <RingProgress
        size={RING_PX}
        thickness={10}
        flex="none"
        role="img"
        aria-label={`${budget.name}: ${percent(share)} spent`}
        sections={[
          { value: spentPart, color: spentColor },
          { value: heldPart, color: "cyan.3" },
        ]}
        label={
          <Text fz={11} fw={600} ta="center" className="tabular" style={{ whiteSpace: "nowrap" }}>
            {percent(share)}
          </Text>
        }
      />
      <div style={{ minWidth: 0 }}>
        <Name strong>{budget.name}</Name>
        <Text size="sm" className="tabular">
          <Spent budget={budget} /> of {amountOf(budget.kind, budget.limit)}
          {heldPart > 0 && ` · ${amountOf(budget.kind, budget.held)} held`}
        </Text>
        <Text size="xs" c={isOver && budget.enabled ? "var(--bad)" : "dimmed"}>
          {budget.hard ? "hard" : "soft"}, per {words(budget.period)} ·{" "}
          {outlookOf(budget, outlooks?.get(budget.name))}
        </Text>
      </div>
    </Group>
  );
}
