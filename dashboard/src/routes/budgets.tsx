/** What is left, and what may be used up? */
import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { choice, searchOf, text } from "@/lib/search";
import { framed } from "./framed";

export const budgets = createRoute({
  getParentRoute: () => framed,
  path: "/budgets",
  validateSearch: searchOf({
    tab: choice("budgets", "plans", "subscriptions"),
    /** What the list of budgets is narrowed to. */
    find: text,
    /** The budget that is open, by name. */
    budget: text,
    /** The user whose subscription is open. */
    user: text,
  }),
  component: lazyRouteComponent(() => import("@/features/budgets/BudgetsPage")),
});
