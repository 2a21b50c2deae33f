/** One budget: a bar of what is spent, held and left, and what will become of it. */
import { ActionIcon, Anchor, Badge, Group, Switch, Text } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactElement } from "react";
import { api, read } from "@/api/client";
import { Hint } from "@/components/Figures";
import { Icon } from "@/components/icons";
import { Name } from "@/components/Name";
import { failed, told } from "@/components/toasts";
import { amountOf, type Budget, isUsedUp, outlookOf, scopeOf } from "@/lib/budget";
import { money, percent } from "@/lib/format";
import classes from "./Budgets.module.css";

interface BudgetRowProps {
  budget: Budget;
  edit: ((budget: Budget) => void) | null;
}

export function BudgetRow({ budget, edit }: BudgetRowProps): ReactElement {
  const scope = scopeOf(budget);
  return (
    <div className={`${classes.row} ${budget.enabled ? "" : classes.off}`}>
      <div style={{ minWidth: 0 }}>
        <Group gap={6} wrap="nowrap">
          <Name strong>{budget.name}</Name>
          <Hint
            label={
              budget.hard
                ? "Calls that do not fit are refused."
                : "Only counted: nothing is refused."
            }
          >
            <Badge
              c="var(--mantine-color-text)"
              color={budget.hard ? "cyan" : "gray"}
              miw="max-content"
              style={{ verticalAlign: "middle" }}
            >
              {budget.hard ? "hard" : "soft"}
            </Badge>
          </Hint>
        </Group>
        <Name minor>{`${budget.subject} · per ${budget.period}`}</Name>
        {scope && <Name minor>{`only ${scope}`}</Name>}
      </div>
      <Bar budget={budget} />
      <Group gap={4} wrap="nowrap" justify="flex-end">
        {edit && (
          <ActionIcon
            aria-label={`Edit ${budget.name}`}
            disabled={budget.source === "file"}
            onClick={() => edit(budget)}
          >
            <Icon name="edit" />
          </ActionIcon>
        )}
        <OnOff budget={budget} may={edit !== null} />
      </Group>
    </div>
  );
}

function Bar({ budget }: { budget: Budget }): ReactElement {
  const [limit, spent, held] = [budget.limit, budget.spent, budget.held].map(Number) as [
    number,
    number,
    number,
  ];
  const part = (amount: number): number =>
    limit > 0 ? Math.min(100, Math.max(0, (amount / limit) * 100)) : 100;
  const spentPart = part(spent);
  const corrected = Number(budget.corrected_usd ?? 0);
  return (
    <div style={{ minWidth: 0 }}>
      <div
        className={classes.bar}
        role="img"
        aria-label={`${budget.name}: ${percent(limit > 0 ? spent / limit : 1)} spent`}
      >
        <span
          className={isUsedUp(budget) ? classes.over : classes.spent}
          style={{ width: `${spentPart}%` }}
        />
        <span
          className={classes.held}
          style={{ width: `${Math.min(part(held), 100 - spentPart)}%` }}
        />
      </div>
      <div className={classes.figures}>
        <Text size="sm" className="tabular">
          <Spent budget={budget} /> of {amountOf(budget.kind, budget.limit)}
          {limit > 0 && ` (${percent(spent / limit)})`}
          {held > 0 && ` · ${amountOf(budget.kind, budget.held)} held`}
        </Text>
        <Text size="sm" fw={600} className="tabular">
          {amountOf(budget.kind, budget.left)} left
        </Text>
      </div>
      <Text size="xs" c={isUsedUp(budget) && budget.enabled ? "var(--bad)" : "dimmed"}>
        {outlookOf(budget)}
        {corrected !== 0 && ` · ${money(budget.corrected_usd)} of it by later corrections`}
      </Text>
    </div>
  );
}

/** What is spent leads to the calls that did, where the logs can be narrowed to them. */
function Spent({ budget }: { budget: Budget }): ReactElement {
  const text = amountOf(budget.kind, budget.spent);
  const [kind, ...rest] = budget.subject.split(":");
  const whose = rest.join(":");
  const only = {
    user: kind === "user" ? whose : undefined,
    key: kind === "key" ? whose : undefined,
    project: kind === "project" ? whose : undefined,
  };
  if (kind === "customer") return <>{text}</>;
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

function OnOff({ budget, may }: { budget: Budget; may: boolean }): ReactElement {
  const queries = useQueryClient();
  const set = async (enabled: boolean): Promise<void> => {
    await read(
      api.PATCH("/api/v1/budgets/{name}", {
        params: { path: { name: budget.name } },
        body: { enabled },
      }),
    );
    await queries.invalidateQueries({ queryKey: ["budgets"] });
  };
  const flip = useMutation({
    mutationFn: set,
    onSuccess: (_, enabled) =>
      told(`${budget.name} is switched ${enabled ? "on" : "off"}.`, () => set(!enabled)),
    onError: failed,
  });
  const switched = (
    <Switch
      size="sm"
      aria-label={`Budget ${budget.name} counts`}
      checked={flip.isPending ? flip.variables : budget.enabled}
      disabled={!may || budget.source === "file"}
      onChange={(event) => flip.mutate(event.currentTarget.checked)}
    />
  );
  return budget.source === "file" ? (
    <Hint label="It stands in the configuration file: change it there.">{switched}</Hint>
  ) : (
    switched
  );
}
