/** What is left of credits? */
import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { choice, searchOf, text } from "@/lib/search";
import { framed } from "./framed";

export const credits = createRoute({
  getParentRoute: () => framed,
  path: "/credits",
  validateSearch: searchOf({
    tab: choice("wallets", "rates"),
    /** The wallet that is open, by name. */
    wallet: text,
    /** What its statement is narrowed to. */
    kind: choice("purchase", "grant", "deduction", "refund", "expiry", "adjustment"),
  }),
  component: lazyRouteComponent(() => import("@/features/credits/CreditsPage")),
});
