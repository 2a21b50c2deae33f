/** What do all pages share? The frame, and project and time range in the address. */
import { createRoute, retainSearchParams } from "@tanstack/react-router";
import { Frame } from "@/frame/Frame";
import { choice, type Reader, searchOf, text } from "@/lib/search";
import { root } from "./root";

const isoInstant: Reader<string> = (value) =>
  typeof value === "string" && !Number.isNaN(Date.parse(value))
    ? new Date(value).toISOString()
    : undefined;

export const framed = createRoute({
  getParentRoute: () => root,
  id: "framed",
  validateSearch: searchOf({
    project: text,
    range: choice("1h", "24h", "7d", "30d", "90d"),
    from: isoInstant,
    to: isoInstant,
  }),
  search: { middlewares: [retainSearchParams(["project", "range", "from", "to"])] },
  component: Frame,
});
