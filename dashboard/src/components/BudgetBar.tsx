/** What is spent, held and left of a budget, and what will become of it? */
import { Anchor, Text } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import type { ReactElement } from "react";
import { amountOf, type Budget, isUsedUp, outlookOf, partsOf, useOutlooks } from "@/lib/budget";
import { money, percent } from "@/lib/format";
import classes from "./BudgetBar.module.css";

export function BudgetBar({ budget }: { budget: Budget }): ReactElement {
  const outlooks = useOutlooks().data;
  const { share, spentPart, heldPart } = partsOf(budget);
  const corrected = Number(budget.corrected_usd ?? 0);
  return (
    <div style={{ minWidth: 0 }}>
      <div
        className={classes.bar}
        role="img"
        aria-label={`${budget.name}: ${percent(share)} spent`}
      >
        <span
          className={isUsedUp(budget) ? classes.over : classes.spent}
          style={{ width: `${spentPart}%` }}
        />
        <span className={classes.held} style={{ width: `${heldPart}%` }} />
      </div>
      <div className={classes.figures}>
        <Text size="sm" className="tabular">
          <Spent budget={budget} /> of {amountOf(budget.kind, budget.limit)}
          {Number(budget.limit) > 0 && ` (${percent(share)})`}
          {heldPart > 0 && ` · ${amountOf(budget.kind, budget.held)} held`}
        </Text>
        <Text size="sm" fw={600} className="tabular">
          {amountOf(budget.kind, budget.left)} left
        </Text>
      </div>
      <Text size="xs" c={isUsedUp(budget) && budget.enabled ? "var(--bad)" : "dimmed"}>
        {outlookOf(budget, outlooks?.get(budget.name))}
        {corrected !== 0 && ` · ${money(budget.corrected_usd)} of it by later corrections`}
      </Text>
    </div>
  );
}

/** What is spent leads to the calls that did. */
export function Spent({ budget }: { budget: Budget }): ReactElement {
  const text = amountOf(budget.kind, budget.spent);
  const [kind, ...rest] = budget.subject.split(":");
  const whose = rest.join(":");
  const only = {
    user: kind === "user" ? whose : undefined,
    key: kind === "key" ? whose : undefined,
    project: kind === "project" ? whose : undefined,
    customer: kind === "customer" ? whose : undefined,
  };
  return (
    <Anchor
      size="sm"
      underline="always"
      renderRoot={(props) => (
        <Link
          {...props}
          to="/logs"
          search={{
            ...only,
            from: budget.resets_at ? budget.period_start : undefined,
            to: budget.resets_at ?? undefined,
            bucket: budget.bucket ?? undefined,
            category: budget.category ?? undefined,
            model: budget.model ?? undefined,
            provider: budget.provider ?? undefined,
          }}
        />
      )}
    >
      {text}
    </Anchor>
  );
}
