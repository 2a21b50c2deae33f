/** What should be known, and who is told? */
import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { choice, flag, searchOf, text } from "@/lib/search";
import { framed } from "./framed";

export const alerts = createRoute({
  getParentRoute: () => framed,
  path: "/alerts",
  validateSearch: searchOf({
    tab: choice("inbox", "thresholds", "webhooks"),
    /** Of the inbox. */
    unread: flag,
    severity: choice("info", "warning", "error"),
    subject: text,
    superseded: flag,
    /** The webhook whose deliveries are open. */
    webhook: text,
  }),
  component: lazyRouteComponent(() => import("@/features/alerts/AlertsPage")),
});
