/** What may be used, at what price? */
import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { choice, flag, searchOf, text } from "@/lib/search";
import { framed } from "./framed";

export const models = createRoute({
  getParentRoute: () => framed,
  path: "/models",
  validateSearch: searchOf({
    tab: choice("catalogue", "unpriced", "disputes"),
    /** In name, display name or description. */
    q: text,
    type: choice("text", "image", "video", "audio", "embedding", "rerank"),
    provider: text,
    active: flag,
    default: flag,
    capability: choice("json_mode", "vision", "function_calling"),
    sort: choice("model_name", "provider", "price", "sort_order", "updated_at"),
    descending: flag,
    /** The model whose drawer is open, and which part of it. */
    model: text,
    part: choice("prices", "use", "changes"),
    /** The form: of the open model, or of a new one. */
    edit: flag,
    create: flag,
    /** Two to four names, joined by `|`. */
    compare: (value) => (typeof value === "string" ? value.slice(0, 1100) : undefined),
  }),
  component: lazyRouteComponent(() => import("@/features/models/ModelsPage")),
});
