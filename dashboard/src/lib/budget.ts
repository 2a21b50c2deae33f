/** What does a budget count, how is that written, and when is it used up? */
import { useQuery } from "@tanstack/react-query";
import { api, read, type Schemas } from "@/api/client";
import { bookDay, count, credits, day, money } from "./format";

export type Budget = Schemas["Budget"];
type Outlook = Schemas["LimitOutlook"];

export const KINDS = {
  money: "US dollars",
  credits: "credits",
  calls: "calls",
  tokens: "tokens",
  images: "images",
  videos: "films",
  audio: "calls for sound",
} as const;
export type Kind = keyof typeof KINDS;

export const PERIODS = ["hour", "day", "week", "month", "quarter", "year", "total"] as const;

/** An amount in the unit of what a budget counts: `$12.40`, `120 credits`, `500 calls`. */
export function amountOf(kind: string, amount: string): string {
  if (kind === "money") return money(amount);
  const number = kind === "credits" ? credits(amount) : count(Number(amount));
  return `${number} ${KINDS[kind as Kind] ?? kind}`;
}

/** The calls that count, where not all of the subject's do. */
export function scopeOf(budget: Budget): string {
  const { bucket, category, model, provider } = budget;
  return [bucket && `bucket ${bucket}`, category, model, provider && `served by ${provider}`]
    .filter(Boolean)
    .join(" · ");
}

export function isUsedUp(budget: Budget): boolean {
  return Number(budget.spent) >= Number(budget.limit);
}

/** What is spent and held, in per cent of the limit, for lengths; together at most 100. */
export function partsOf(budget: Budget): { share: number; spentPart: number; heldPart: number } {
  const [limit, spent, held] = [Number(budget.limit), Number(budget.spent), Number(budget.held)];
  const part = (amount: number): number =>
    limit > 0 ? Math.min(100, Math.max(0, (amount / limit) * 100)) : 100;
  const spentPart = part(spent);
  return {
    share: limit > 0 ? spent / limit : 1,
    spentPart,
    heldPart: held > 0 ? Math.min(part(held), 100 - spentPart) : 0,
  };
}

const OUTLOOKS_ROWS = 200;
const OUTLOOKS_MAX = 1000;
const OUTLOOKS_MS = 10 * 60_000;

/** What the API foretells of each budget, by its name. */
export function useOutlooks() {
  return useQuery({
    queryKey: ["insight", "outlook", "budget"],
    queryFn: async ({ signal }) => {
      const found = new Map<string, Outlook>();
      let cursor: string | undefined;
      do {
        const query = { what: "budget" as const, limit: OUTLOOKS_ROWS, cursor };
        const page = await read(api.GET("/api/v1/insight/outlook", { params: { query }, signal }));
        for (const one of page.outlooks) found.set(one.name, one);
        cursor = page.next_cursor ?? undefined;
      } while (cursor && found.size < OUTLOOKS_MAX);
      return found;
    },
    staleTime: OUTLOOKS_MS,
    retry: false,
  });
}

/** When it runs out, as the API foretells it: an estimate, and called one. */
export function outlookOf(budget: Budget, found: Outlook | undefined): string {
  if (!budget.enabled) return "switched off: nothing is counted or refused";
  const resets = budget.resets_at ? `resets on ${day(budget.resets_at)}` : "never resets";
  if (Number(budget.limit) === 0) return "none is allowed";
  if (isUsedUp(budget)) return `used up; ${resets}`;
  const when = found?.used_up;
  if (!when || when.already) return resets;
  if (when.expected === null) return `≈ lasts; ${resets}`;
  return `≈ runs out on ${bookDay(when.expected)}${between(when)}; ${resets}`;
}

/** The band around the day, where it is more than that day. */
function between({ earliest, latest }: NonNullable<Outlook["used_up"]>): string {
  if (earliest === null || earliest === latest) return "";
  return latest === null
    ? ` (from ${bookDay(earliest)}, if at all)`
    : ` (${bookDay(earliest)} – ${bookDay(latest)})`;
}
