/** What does a route answer, who serves it, and what does it cost? */
import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { choice, searchOf, text } from "@/lib/search";
import { framed } from "./framed";

export const playground = createRoute({
  getParentRoute: () => framed,
  path: "/playground",
  validateSearch: searchOf({
    category: choice("text", "image", "audio", "video"),
    /** The route or model; undefined: the default of the category. */
    model: text,
    /** As which key calls are made; undefined: the first of one's own. */
    key: text,
  }),
  component: lazyRouteComponent(() => import("@/features/playground/PlaygroundPage")),
});
