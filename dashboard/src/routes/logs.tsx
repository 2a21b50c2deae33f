/** What happened? */
import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { choice, flag, searchOf, text } from "@/lib/search";
import { framed } from "./framed";

export const logs = createRoute({
  getParentRoute: () => framed,
  path: "/logs",
  validateSearch: searchOf({
    provider: text,
    bucket: text,
    category: text,
    model: text,
    status: choice("COMPLETED", "FAILED"),
    status_code: text,
    ending: text,
    key: text,
    user: text,
    customer: text,
    tag: text,
    upstream: text,
    usage_source: choice("reported", "drained", "estimated", "none"),
    unpriced: flag,
    fallback: flag,
    /** The call whose drawer is open. */
    call: text,
    live: flag,
  }),
  component: lazyRouteComponent(() => import("@/features/logs/LogsPage")),
});
