/** What is left? Spent, held and left of each budget, and when it runs out at this pace. */
import { Anchor, Group, SimpleGrid, Text } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import type { ReactElement } from "react";
import type { Schemas } from "@/api/client";
import { Money } from "@/components/Figures";
import { Name } from "@/components/Name";
import { Panel, StateOf } from "@/components/States";
import { day, percent, short, words } from "@/lib/format";
import classes from "./Overview.module.css";
import { useBudgets } from "./query";

type Budget = Schemas["Budget"];
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

function OneBudget({ budget }: { budget: Budget }): ReactElement {
  // For lengths and the outlook alone; what is read is the exact text.
  const limit = Number(budget.limit);
  const spent = Math.max(0, Number(budget.spent));
  const held = Math.max(0, Number(budget.held));
  const share = limit > 0 ? spent / limit : 1;
  const width = (amount: number): string =>
    `${limit > 0 ? Math.min(100, (amount / limit) * 100) : 100}%`;
  return (
    <div>
      <Group justify="space-between" wrap="nowrap" gap="xs">
        <Name strong>{budget.name}</Name>
        <Text size="xs" c="dimmed" style={{ whiteSpace: "nowrap" }}>
          {budget.hard ? "hard" : "soft"}, per {words(budget.period)}
        </Text>
      </Group>
      <div
        className={classes.budget}
        role="img"
        aria-label={`${percent(share)} of ${budget.name} spent`}
      >
        <div
          className={share >= 1 ? classes.over : classes.spent}
          style={{ width: width(spent) }}
        />
        <div className={classes.held} style={{ width: width(held) }} />
      </div>
      <Text size="xs" mt={4} className="tabular">
        <Amount budget={budget} of={budget.spent} /> of <Amount budget={budget} of={budget.limit} />{" "}
        ({percent(share)})
        {held > 0 && (
          <>
            {" · "}
            <Amount budget={budget} of={budget.held} /> held
          </>
        )}
      </Text>
      <Text size="xs" c="dimmed">
        {outlook(budget, spent, limit)}
      </Text>
    </div>
  );
}

/** An amount in what the budget counts. */
function Amount({ budget, of }: { budget: Budget; of: string }): ReactElement {
  if (budget.kind === "money") return <Money usd={of} />;
  return (
    <>
      {short(Number(of))} {words(budget.kind)}
    </>
  );
}

/** When it runs out if it goes on as since the period began: an estimate, and called one. */
function outlook(budget: Budget, spent: number, limit: number): string {
  if (!budget.enabled) return "switched off";
  const [start, end] = [Date.parse(budget.period_start), Date.parse(budget.period_end)];
  // A total has no end: what is far away is not named.
  const until = end - Date.now() > 400 * 86_400_000 ? "" : ` until ${day(budget.period_end)}`;
  if (spent >= limit) return `used up${until}`;
  const passed = Date.now() - start;
  if (spent === 0 || passed <= 0) return until.trim();
  const out = start + (passed * limit) / spent;
  return out < end
    ? `≈ runs out on ${day(new Date(out).toISOString())}`
    : `≈ lasts${until || " for as long as can be told"}`;
}
