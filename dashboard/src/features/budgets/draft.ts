/** What was typed of a budget, and how is its limit said to the API? */
import type { Budget, Kind } from "@/lib/budget";
import { countOf } from "@/lib/decimal";

export interface Draft {
  name: string;
  subject: string;
  whose: string;
  kind: Kind;
  amount: string;
  period: string;
  hard: boolean;
  bucket: string;
  category: string;
  model: string;
  provider: string;
}

export function draftOf(budget: Budget | null, isAdmin: boolean): Draft {
  const [subject = "", ...whose] = (budget?.subject ?? "").split(":");
  return {
    name: budget?.name ?? "",
    subject: subject || (isAdmin ? "user" : "project"),
    whose: whose.join(":"),
    kind: (budget?.kind ?? "money") as Kind,
    amount: budget?.limit ?? "",
    period: budget?.period ?? "month",
    hard: budget?.hard ?? true,
    bucket: budget?.bucket ?? "",
    category: budget?.category ?? "",
    model: budget?.model ?? "",
    provider: budget?.provider ?? "",
  };
}

/** The one field that names the limit. */
export function limitField(draft: Draft): Record<string, string | number> {
  const text = draft.amount.trim();
  if (draft.kind === "money") return { limit_usd: text };
  if (draft.kind === "credits") return { limit_credits: text };
  return { [`limit_${draft.kind}`]: countOf(text) };
}
