/** What should we change? */
import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { choice, searchOf, text } from "@/lib/search";
import { framed } from "./framed";

export const insight = createRoute({
  getParentRoute: () => framed,
  path: "/insight",
  validateSearch: searchOf({
    category: choice("text", "image", "video", "audio", "embedding", "rerank"),
    tab: choice("savings", "elsewhere", "fallback", "experiments"),
    /** The experiment that is shown. */
    experiment: text,
  }),
  component: lazyRouteComponent(() => import("@/features/insight/InsightPage")),
});
