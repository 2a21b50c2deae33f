/** Who may do what? */
import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { choice, flag, searchOf, text } from "@/lib/search";
import { framed } from "./framed";

export const settings = createRoute({
  getParentRoute: () => framed,
  path: "/settings",
  validateSearch: searchOf({
    tab: choice("keys", "users", "endpoints", "audit", "account"),
    /** Keys: in name, user or project. */
    q: text,
    revoked: flag,
    /** Audit. */
    actor: text,
    action: text,
    subject: text,
  }),
  component: lazyRouteComponent(() => import("@/features/settings/SettingsPage")),
});
