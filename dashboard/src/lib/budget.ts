/** What does a budget count, how is that written, and when is it used up? */
import type { Schemas } from "@/api/client";
import { count, credits, day, money } from "./format";

export type Budget = Schemas["Budget"];

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

/** When it runs out if it goes on as since its period began: an estimate, and called one. */
export function outlookOf(budget: Budget, nowMs: number = Date.now()): string {
  if (!budget.enabled) return "switched off: nothing is counted or refused";
  const [limit, spent] = [Number(budget.limit), Number(budget.spent)];
  const resets = budget.resets_at ? `resets on ${day(budget.resets_at)}` : "never resets";
  if (limit === 0) return "none is allowed";
  if (spent >= limit) return `used up; ${resets}`;
  const start = Date.parse(budget.period_start);
  const passed = nowMs - start;
  // The total of all time begins long before the first call: no pace follows from it.
  if (spent <= 0 || passed <= 0 || !budget.resets_at) return resets;
  const out = start + (passed * limit) / spent;
  return out < Date.parse(budget.resets_at)
    ? `≈ runs out on ${day(new Date(out).toISOString())}; ${resets}`
    : `≈ lasts; ${resets}`;
}
