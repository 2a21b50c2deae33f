/** One budget: a bar of what is spent, held and left, and what will become of it. */
import { ActionIcon, Anchor, Badge, Group, Switch } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactElement } from "react";
import { api, read } from "@/api/client";
import { BudgetBar } from "@/components/BudgetBar";
import { Hint } from "@/components/Figures";
import { Icon } from "@/components/icons";
import { Name } from "@/components/Name";
import { failed, told } from "@/components/toasts";
import { type Budget, scopeOf } from "@/lib/budget";
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
          <Anchor
            c="inherit"
            miw={0}
            renderRoot={(props) => (
              <Link
                {...props}
                to="/budgets"
                search={(old) => ({ ...old, budget: budget.name })}
                title={`Terms and leases of ${budget.name}`}
              />
            )}
          >
            <Name strong>{budget.name}</Name>
          </Anchor>
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
      <BudgetBar budget={budget} />
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
