/** What do we spend, and is that all right? */
import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { searchOf, text } from "@/lib/search";
import { framed } from "./framed";

export const overview = createRoute({
  getParentRoute: () => framed,
  path: "/",
  validateSearch: searchOf({ provider: text }),
  component: lazyRouteComponent(() => import("@/features/overview/OverviewPage")),
});
