/** Are the names right? */
import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { choice, searchOf, text } from "@/lib/search";
import { framed } from "./framed";

export const attribution = createRoute({
  getParentRoute: () => framed,
  path: "/attribution",
  validateSearch: searchOf({
    tab: choice("confidence", "tester", "rules", "backfill"),
    /** What the tester is given; the names are those of the API. */
    bucket: text,
    model: text,
    served_model: text,
    endpoint: text,
    host: text,
    header: text,
    response_id: text,
    aggregator_provider: text,
    reported_provider: text,
    /** What the list of rules is narrowed to. */
    find: text,
    /** The backfill run that is open. */
    run: text,
  }),
  component: lazyRouteComponent(() => import("@/features/attribution/AttributionPage")),
});
