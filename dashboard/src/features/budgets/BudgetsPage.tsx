/** What is left? Budgets, the plans that can be had, and who has which. */
import { getRouteApi } from "@tanstack/react-router";
import type { ReactElement } from "react";
import { TabbedPage } from "@/components/TabbedPage";
import { Budgets } from "./Budgets";
import { Plans } from "./Plans";
import { Subscriptions } from "./Subscriptions";

const route = getRouteApi("/framed/budgets");
const PARTS = [
  { value: "budgets", label: "Budgets", Part: Budgets },
  { value: "plans", label: "Plans", Part: Plans },
  { value: "subscriptions", label: "Subscriptions", Part: Subscriptions },
] as const;

export default function BudgetsPage(): ReactElement {
  const { tab } = route.useSearch();
  const navigate = route.useNavigate();
  return (
    <TabbedPage
      parts={PARTS}
      tab={tab}
      onChange={(chosen) =>
        void navigate({ to: ".", search: (before) => ({ ...before, tab: chosen }) })
      }
    />
  );
}
