/** What a plan says. A limit that is left empty is unlimited; 0 allows none. */
import { Group, Modal, Select, SimpleGrid, Switch, Text, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type ReactElement, useState } from "react";
import { api, read, type Schemas } from "@/api/client";
import { ApiError } from "@/api/errors";
import { FormOf } from "@/components/FormOf";
import { told } from "@/components/toasts";
import { countOf } from "@/lib/decimal";
import { limitName } from "./Allowance";
import { type Plan, plansQuery } from "./Plans";

type Tier = Schemas["Tier"];
const TIERS = ["free", "basic", "pro", "enterprise"] as const satisfies readonly Tier[];
const MONEY_LIMIT = "monthly_cost_usd";

interface Draft {
  name: string;
  tier: Tier;
  monthly: string;
  yearly: string;
  credits: string;
  description: string;
  active: boolean;
  default: boolean;
  limits: Record<string, string>;
}

export function PlanForm({
  plan,
  onClose,
}: {
  plan: Plan | null;
  onClose: () => void;
}): ReactElement {
  const queries = useQueryClient();
  const names = Object.keys(useQuery(plansQuery).data?.plans[0]?.limits ?? {});
  const [draft, setDraft] = useState<Draft>(() => draftOf(plan));
  const set = (change: Partial<Draft>): void => setDraft((before) => ({ ...before, ...change }));
  const save = useMutation({
    mutationFn: () => {
      const body = {
        name: draft.name.trim(),
        tier: draft.tier,
        price_monthly_usd: draft.monthly.trim(),
        price_yearly_usd: draft.yearly.trim(),
        credits_per_period: draft.credits.trim() || "0",
        description: draft.description,
        limits: limitsOf(draft.limits, names),
      };
      if (plan === null) return read(api.POST("/api/v1/plans", { body }));
      return read(
        api.PATCH("/api/v1/plans/{name}", {
          params: { path: { name: plan.name } },
          body: {
            ...body,
            version: plan.version,
            ...(draft.active !== plan.active && { active: draft.active }),
            ...(draft.default !== plan.default && { default: draft.default }),
          },
        }),
      );
    },
    onSuccess: async (saved) => {
      await queries.invalidateQueries({ queryKey: ["plans"] });
      await queries.invalidateQueries({ queryKey: ["subscriptions"] });
      told(`The plan ${saved.name} holds as it is now, for everybody who has it.`);
      onClose();
    },
  });
  const wrong = save.error instanceof ApiError ? save.error.param : undefined;
  const field = (label: string, name: "name" | "monthly" | "yearly" | "credits", at: string) => (
    <TextInput
      label={label}
      required={name !== "credits"}
      error={wrong === at}
      inputMode={name === "name" ? "text" : "decimal"}
      value={draft[name]}
      onChange={(event) => set({ [name]: event.currentTarget.value })}
    />
  );
  return (
    <Modal opened onClose={onClose} size="xl" title={plan ? `Plan ${plan.name}` : "New plan"}>
      <FormOf
        error={save.error}
        errorTitle="Not saved"
        isPending={save.isPending}
        action="Save"
        onSubmit={() => save.mutateAsync()}
        onClose={onClose}
      >
        <SimpleGrid cols={{ base: 1, sm: 2 }} spacing="sm">
          {field("Name", "name", "name")}
          <Select
            label="Standing among the plans"
            data={TIERS}
            value={draft.tier}
            allowDeselect={false}
            onChange={(value) => set({ tier: TIERS.find((one) => one === value) ?? "basic" })}
          />
          {field("Price of a month, in US dollars", "monthly", "price_monthly_usd")}
          {field("Price of a year, in US dollars", "yearly", "price_yearly_usd")}
          {field("Credits a month", "credits", "credits_per_period")}
          <TextInput
            label="Description"
            value={draft.description}
            onChange={(event) => set({ description: event.currentTarget.value })}
          />
        </SimpleGrid>
        {plan && (
          <Group gap="lg">
            <Switch
              label="Can be had"
              checked={draft.active}
              onChange={(event) => set({ active: event.currentTarget.checked })}
            />
            <Switch
              label="For whoever has no subscription"
              checked={draft.default}
              onChange={(event) => set({ default: event.currentTarget.checked })}
            />
          </Group>
        )}
        <Text fw={600} size="sm" mt="xs">
          Limits of a month
          <Text span size="sm" c="dimmed" fw={400}>
            {" — empty is unlimited, 0 allows none"}
          </Text>
        </Text>
        <SimpleGrid cols={{ base: 2, sm: 3 }} spacing="sm">
          {names.map((name) => (
            <TextInput
              key={name}
              label={limitName(name)}
              placeholder="unlimited"
              inputMode={name === MONEY_LIMIT ? "decimal" : "numeric"}
              error={wrong === `limits.${name}` || wrong === name}
              value={draft.limits[name] ?? ""}
              onChange={(event) =>
                set({ limits: { ...draft.limits, [name]: event.currentTarget.value } })
              }
            />
          ))}
        </SimpleGrid>
      </FormOf>
    </Modal>
  );
}

function draftOf(plan: Plan | null): Draft {
  const limits: Record<string, string> = {};
  for (const [name, one] of Object.entries(plan?.limits ?? {}))
    limits[name] = one.limit === null ? "" : String(one.limit);
  return {
    name: plan?.name ?? "",
    tier: plan?.tier ?? "basic",
    monthly: plan?.price_monthly_usd ?? "",
    yearly: plan?.price_yearly_usd ?? "",
    credits: plan?.credits_per_period ?? "0",
    description: plan?.description ?? "",
    active: plan?.active ?? true,
    default: plan?.default ?? false,
    limits,
  };
}

/** What was typed, as the API takes it: null is unlimited, money stays text. */
function limitsOf(typed: Record<string, string>, names: string[]) {
  const limits: Record<string, number | string | null> = {};
  for (const name of names) {
    const text = typed[name]?.trim() ?? "";
    if (text === "") limits[name] = null;
    else limits[name] = name === MONEY_LIMIT ? text : countOf(text);
  }
  return limits;
}
