/** From the points that the API gives to the columns of a chart: no gaps, one column per interval. */
import type { Schemas } from "@/api/client";
import { bookDay, bookMonth, hour } from "@/lib/format";

export type OverviewView = Schemas["OverviewView"];
export type Grain = "hour" | "day" | "week" | "month";

export interface Column {
  /** Start of the interval, ISO 8601. */
  at: string;
  end: string;
  /** Provider → dollars, for heights alone; what is read is the text of `cost`. */
  heights: Record<string, number>;
  cost: Record<string, string | null>;
  calls: number;
  before: number | null;
  /** What is expected of it; of days ahead nothing else is known. */
  ahead?: Ahead;
}

/** Dollars as text; a band has both ends or none. */
export interface Ahead {
  expected: string;
  low: string | null;
  high: string | null;
  /** Whether it has not begun yet. */
  isToCome: boolean;
}

export const OTHERS = "others";
const COLUMNS_MAX = 800;

/** An interval's start as an instant: days and months come as dates. */
function startOf(at: string): Date {
  if (/^\d{4}-\d{2}$/.test(at)) return new Date(`${at}-01T00:00:00Z`);
  return new Date(/^\d{4}-\d{2}-\d{2}$/.test(at) ? `${at}T00:00:00Z` : at);
}

function next(at: Date, grain: Grain): Date {
  const end = new Date(at);
  if (grain === "hour") end.setUTCHours(end.getUTCHours() + 1);
  else if (grain === "month") end.setUTCMonth(end.getUTCMonth() + 1);
  else end.setUTCDate(end.getUTCDate() + (grain === "week" ? 7 : 1));
  return end;
}

/** The first interval of a span: the start of the hour, day, month, or the week's Monday. */
function first(from: string, grain: Grain): Date {
  const at = new Date(from);
  at.setUTCMinutes(0, 0, 0);
  if (grain === "hour") return at;
  at.setUTCHours(0);
  if (grain === "week") at.setUTCDate(at.getUTCDate() - ((at.getUTCDay() + 6) % 7));
  if (grain === "month") at.setUTCDate(1);
  return at;
}

export function columnsOf(overview: OverviewView, before: readonly (string | null)[]): Column[] {
  const grain = overview.grain as Grain;
  const columns = new Map<string, Column>();
  const end = new Date(Math.min(Date.parse(overview.span.to), Date.now()));
  let at = first(overview.span.from, grain);
  while (at < end && columns.size < COLUMNS_MAX) {
    const until = next(at, grain);
    const height = before[columns.size];
    columns.set(at.toISOString(), {
      at: at.toISOString(),
      end: until.toISOString(),
      heights: {},
      cost: {},
      calls: 0,
      before: height === null || height === undefined ? null : Number(height),
    });
    at = until;
  }
  for (const point of overview.series) {
    const column = columns.get(startOf(point.at).toISOString());
    if (!column) continue;
    const provider = point.provider ?? OTHERS;
    column.heights[provider] = Number(point.cost_usd ?? 0);
    column.cost[provider] = point.cost_usd;
    column.calls += point.calls;
  }
  return [...columns.values()];
}

const AHEAD_MIN = 3;

/** How many days ahead are shown of so many: a fourth of them, so that what was stays large. */
export function daysAhead(columns: number): number {
  return Math.max(AHEAD_MIN, Math.ceil(columns / 4));
}

/** The columns, and behind them those of the days that are foretold; today is both. */
export function withForecast(
  columns: readonly Column[],
  points: readonly Schemas["DayAhead"][],
): Column[] {
  const last = columns[columns.length - 1];
  if (!last) return [];
  const found = [...columns];
  for (const { day, expected, low, high } of points) {
    const at = startOf(day);
    const ahead = { expected, low, high, isToCome: at.toISOString() > last.at };
    if (ahead.isToCome) {
      const end = next(at, "day").toISOString();
      const empty = { heights: {}, cost: {}, calls: 0, before: null };
      found.push({ at: at.toISOString(), end, ...empty, ahead });
    } else if (at.toISOString() === last.at) {
      found[columns.length - 1] = { ...last, ahead };
    }
  }
  return found;
}

/** The cost of the time before, one per column, in the order of time. */
export function costsBefore(
  groups: readonly { group: Record<string, string | null>; cost_usd: string | null }[],
  grain: Grain,
  from: string,
  to: string,
): (string | null)[] {
  const found = new Map(
    groups.map((one) => [startOf(one.group[grain] ?? "").toISOString(), one.cost_usd]),
  );
  const costs: (string | null)[] = [];
  let at = first(from, grain);
  while (at < new Date(to) && costs.length < COLUMNS_MAX) {
    const start = at.toISOString();
    // An interval without calls cost nothing; of one with calls it may be that nobody knows.
    costs.push(found.has(start) ? (found.get(start) ?? null) : "0");
    at = next(at, grain);
  }
  return costs;
}

/** How an interval is called on the axis. */
export function columnName(at: string, grain: Grain): string {
  if (grain === "hour") return hour(at);
  return grain === "month" ? bookMonth(at) : bookDay(at);
}
