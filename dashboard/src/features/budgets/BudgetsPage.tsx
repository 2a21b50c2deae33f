/** What is left? Budgets, the plans that can be had, and who has which. */
import { Tabs } from "@mantine/core";
import { getRouteApi } from "@tanstack/react-router";
import type { ReactElement } from "react";
import { Budgets } from "./Budgets";
import { Plans } from "./Plans";
import { Subscriptions } from "./Subscriptions";

const route = getRouteApi("/framed/budgets");
const TABS = [
  { value: "budgets", label: "Budgets", Part: Budgets },
  { value: "plans", label: "Plans", Part: Plans },
  { value: "subscriptions", label: "Subscriptions", Part: Subscriptions },
] as const;

export default function BudgetsPage(): ReactElement {
  const { tab = "budgets" } = route.useSearch();
  const navigate = route.useNavigate();
  return (
    <Tabs
      value={tab}
      keepMounted={false}
      onChange={(value) => {
        const chosen = TABS.find((one) => one.value === value)?.value;
        void navigate({ to: ".", search: (before) => ({ ...before, tab: chosen }) });
      }}
    >
      <Tabs.List mb="md">
        {TABS.map(({ value, label }) => (
          <Tabs.Tab key={value} value={value}>
            {label}
          </Tabs.Tab>
        ))}
      </Tabs.List>
      {TABS.map(({ value, Part }) => (
        <Tabs.Panel key={value} value={value}>
          <Part />
        </Tabs.Panel>
      ))}
    </Tabs>
  );
}
