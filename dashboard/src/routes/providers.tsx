/** Who serves us, how well, at what price? */
import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { choice, searchOf } from "@/lib/search";
import { framed } from "./framed";

export const providers = createRoute({
  getParentRoute: () => framed,
  path: "/providers",
  validateSearch: searchOf({
    category: choice("text", "image", "video", "audio", "embedding", "rerank"),
    sort: choice("provider", "callShare", "success", "p50", "p95", "cost"),
  }),
  component: lazyRouteComponent(() => import("@/features/providers/ProvidersPage")),
});
