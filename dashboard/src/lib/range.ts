/** Which time do all pages show? It stands in the address: a named span, or from and to. */
import { useSearch } from "@tanstack/react-router";
import { useMemo } from "react";
import { day } from "./format";

export const SPANS = {
  "1h": { label: "last hour", brief: "1 h", hours: 1 },
  "24h": { label: "last 24 hours", brief: "24 h", hours: 24 },
  "7d": { label: "last 7 days", brief: "7 days", hours: 7 * 24 },
  "30d": { label: "last 30 days", brief: "30 days", hours: 30 * 24 },
  "90d": { label: "last 90 days", brief: "90 days", hours: 90 * 24 },
} as const;
export type Span = keyof typeof SPANS;
export const SPAN_DEFAULT: Span = "7d";

const QUARTER_MS = 15 * 60 * 1000;

export interface Range {
  /** ISO 8601; stays the same for a quarter of an hour, so that answers can be kept. */
  from: string;
  /** Undefined: until now. */
  to: string | undefined;
  hours: number;
  label: string;
  /** For small screens. */
  brief: string;
  /** The same span before it. */
  previous: { from: string; to: string; label: string };
}

interface Chosen {
  range?: Span | undefined;
  from?: string | undefined;
  to?: string | undefined;
}

/** Work out a range; `now_ms` is only told in tests. */
export function rangeOf(chosen: Chosen, nowMs: number = Date.now()): Range {
  if (chosen.from && chosen.to && chosen.from < chosen.to) {
    const [start, end] = [Date.parse(chosen.from), Date.parse(chosen.to)];
    const last = new Date(end - 1).toISOString();
    const label = `${day(chosen.from)} – ${day(last)}`;
    return made(start, end, chosen.to, { label, brief: label, before: "the time before" });
  }
  const { hours, label, brief } = SPANS[chosen.range ?? SPAN_DEFAULT];
  const end = (Math.floor(nowMs / QUARTER_MS) + 1) * QUARTER_MS;
  const before = label.replace("last", "previous");
  return made(end - hours * 3_600_000, end, undefined, { label, brief, before });
}

function made(
  start: number,
  end: number,
  to: string | undefined,
  named: { label: string; brief: string; before: string },
): Range {
  const from = new Date(start).toISOString();
  const before = new Date(start - (end - start)).toISOString();
  return {
    from,
    to,
    hours: (end - start) / 3_600_000,
    label: named.label,
    brief: named.brief,
    previous: { from: before, to: from, label: named.before },
  };
}

/** The range of the page that is shown. */
export function useRange(): Range {
  const { range, from, to } = useSearch({
    from: "/framed",
    select: ({ range, from, to }) => ({ range, from, to }),
    structuralSharing: true,
  });
  const quarter = Math.floor(Date.now() / QUARTER_MS);
  // A new quarter of an hour is a new range: the value is only there to say so.
  return useMemo(
    () => rangeOf({ range, from, to }, quarter * QUARTER_MS),
    [range, from, to, quarter],
  );
}

/** The project that all pages are narrowed to; undefined is all of them. */
export function useProject(): string | undefined {
  return useSearch({ from: "/framed", select: ({ project }) => project });
}
