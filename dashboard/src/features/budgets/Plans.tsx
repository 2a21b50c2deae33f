/** Which plans can be had, and what does each allow? Side by side. */
import { Badge, Button, Group, Switch, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { type ReactElement, useState } from "react";
import { api, read, type Schemas } from "@/api/client";
import { useIsAdmin } from "@/api/session";
import { Icon } from "@/components/icons";
import { Empty, Panel, StateOf } from "@/components/States";
import { credits, money } from "@/lib/format";
import { Allowance, limitName } from "./Allowance";
import { PlanForm } from "./PlanForm";

export type Plan = Schemas["Plan"];

export const plansQuery = {
  queryKey: ["plans"],
  queryFn: ({ signal }: { signal: AbortSignal }) => read(api.GET("/api/v1/plans", { signal })),
};

export function Plans(): ReactElement {
  const isAdmin = useIsAdmin();
  const query = useQuery(plansQuery);
  const [everything, setEverything] = useState(false);
  const [edited, setEdited] = useState<Plan | "new" | null>(null);
  return (
    <Panel
      title="Plans"
      aside={
        <Group gap="md">
          <Switch
            size="sm"
            label="Every limit"
            checked={everything}
            onChange={(event) => setEverything(event.currentTarget.checked)}
          />
          {isAdmin && (
            <Button
              size="compact-sm"
              leftSection={<Icon name="plus" size={14} />}
              onClick={() => setEdited("new")}
            >
              New plan
            </Button>
          )}
        </Group>
      }
    >
      <StateOf
        query={query}
        isEmpty={({ plans }) => plans.length === 0}
        empty={<Empty says="There are no plans." />}
      >
        {({ plans }) => (
          <>
            {plans.some((plan) => !plan.enforced) && (
              <Text size="sm" c="dimmed" mb="sm">
                The preflight check answers by these limits; they refuse no call yet.
              </Text>
            )}
            <PlanTable plans={plans} everything={everything} edit={isAdmin ? setEdited : null} />
          </>
        )}
      </StateOf>
      {edited && (
        <PlanForm plan={edited === "new" ? null : edited} onClose={() => setEdited(null)} />
      )}
    </Panel>
  );
}

interface PlanTableProps {
  plans: Plan[];
  everything: boolean;
  edit: ((plan: Plan) => void) | null;
}

function PlanTable({ plans, everything, edit }: PlanTableProps): ReactElement {
  const names = [...new Set(plans.flatMap((plan) => Object.keys(plan.limits)))].filter(
    (name) => everything || plans.some((plan) => plan.limits[name]?.unlimited === false),
  );
  return (
    <Table.ScrollContainer minWidth={180 + plans.length * 130}>
      <Table verticalSpacing={4} highlightOnHover>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>
              <span className="visually-hidden">Limit</span>
            </Table.Th>
            {plans.map((plan) => (
              <Table.Th key={plan.plan_id} ta="right" style={{ verticalAlign: "top" }}>
                <Head plan={plan} edit={edit} />
              </Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          <Row name="Price of a month">
            {plans.map((plan) => (
              <Table.Td key={plan.plan_id} ta="right" className="tabular">
                {money(plan.price_monthly_usd)}
              </Table.Td>
            ))}
          </Row>
          <Row name="Price of a year">
            {plans.map((plan) => (
              <Table.Td key={plan.plan_id} ta="right" className="tabular">
                {money(plan.price_yearly_usd)}
              </Table.Td>
            ))}
          </Row>
          <Row name="Credits a month">
            {plans.map((plan) => (
              <Table.Td key={plan.plan_id} ta="right" className="tabular">
                {Number(plan.credits_per_period) > 0
                  ? credits(plan.credits_per_period)
                  : "no credits"}
              </Table.Td>
            ))}
          </Row>
          {names.map((name) => (
            <Row key={name} name={limitName(name)}>
              {plans.map((plan) => (
                <Table.Td key={plan.plan_id} ta="right">
                  <Allowance limit={plan.limits[name]?.limit ?? null} />
                </Table.Td>
              ))}
            </Row>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

function Row({ name, children }: { name: string; children: ReactElement[] }): ReactElement {
  return (
    <Table.Tr>
      <Table.Th scope="row" fw={400}>
        <Text size="sm">{name}</Text>
      </Table.Th>
      {children}
    </Table.Tr>
  );
}

function Head({ plan, edit }: { plan: Plan; edit: PlanTableProps["edit"] }): ReactElement {
  return (
    <Group gap={6} justify="flex-end">
      {plan.default && (
        <Badge c="var(--mantine-color-text)" color="cyan">
          default
        </Badge>
      )}
      {!plan.active && (
        <Badge c="var(--mantine-color-text)" color="gray">
          withdrawn
        </Badge>
      )}
      {edit ? (
        <Button
          variant="subtle"
          size="compact-sm"
          rightSection={<Icon name="edit" size={14} />}
          aria-label={`Edit ${plan.name}`}
          onClick={() => edit(plan)}
        >
          {plan.name}
        </Button>
      ) : (
        <Text fw={600}>{plan.name}</Text>
      )}
    </Group>
  );
}
