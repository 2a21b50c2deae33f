/** What has somebody typed of a model, and what of it is a change? */
import type { Schemas } from "@/api/client";
import type { Model } from "./queries";

export interface Draft {
  model_name: string;
  display_name: string;
  model_type: string;
  provider: string;
  description: string;
  input_cost_per_1m: string;
  output_cost_per_1m: string;
  cost_per_image: string;
  context_window: string;
  max_output_tokens: string;
  valid_sizes: string[];
  supports_json_mode: boolean;
  supports_vision: boolean;
  supports_function_calling: boolean;
  is_active: boolean;
  is_default: boolean;
  sort_order: string;
}

const EMPTY: Draft = {
  model_name: "",
  display_name: "",
  model_type: "text",
  provider: "",
  description: "",
  input_cost_per_1m: "",
  output_cost_per_1m: "",
  cost_per_image: "",
  context_window: "",
  max_output_tokens: "",
  valid_sizes: [],
  supports_json_mode: false,
  supports_vision: false,
  supports_function_calling: false,
  is_active: true,
  is_default: false,
  sort_order: "0",
};

export function draftOf(model: Model | undefined): Draft {
  if (!model) return EMPTY;
  const text = (value: string | number | null): string => (value === null ? "" : String(value));
  return {
    ...model,
    input_cost_per_1m: text(model.input_cost_per_1m),
    output_cost_per_1m: text(model.output_cost_per_1m),
    cost_per_image: text(model.cost_per_image),
    context_window: text(model.context_window),
    max_output_tokens: text(model.max_output_tokens),
    valid_sizes: model.valid_sizes ?? [],
    sort_order: text(model.sort_order),
  };
}

const MONEY = ["input_cost_per_1m", "output_cost_per_1m", "cost_per_image"] as const;
const COUNTS = ["context_window", "max_output_tokens"] as const;
const PRICE = /^\d{1,9}(\.\d{1,12})?$/;
const COUNT = /^\d{1,9}$/;

/** What is wrong, by field; empty where it can be sent. */
export function faults(draft: Draft): Partial<Record<keyof Draft, string>> {
  const found: Partial<Record<keyof Draft, string>> = {};
  if (!draft.model_name.trim()) found.model_name = "A name is needed";
  if (!draft.provider.trim()) found.provider = "A provider is needed";
  for (const name of MONEY) {
    if (draft[name].trim() && !PRICE.test(draft[name].trim())) {
      found[name] = "US dollars, such as 0.15";
    }
  }
  for (const name of COUNTS) {
    if (draft[name].trim() && !COUNT.test(draft[name].trim())) found[name] = "A whole number";
  }
  if (!/^-?\d{1,6}$/.test(draft.sort_order.trim())) found.sort_order = "A whole number";
  if (draft.is_default && !draft.is_active) found.is_default = "A default has to be active";
  return found;
}

/** What is left out stays, or is as it is by default. */
export type Changed = Partial<Schemas["ModelEdit"]> & { version: number };
export type Ordered = Partial<Schemas["ModelOrder"]> & { model_name: string };

/** What the API takes of a draft. */
function values(draft: Draft): Partial<Schemas["ModelEdit"]> {
  const money = (text: string): string | null => text.trim() || null;
  const whole = (text: string): number | null => (text.trim() ? Number(text.trim()) : null);
  const { model_name: _, ...rest } = draft;
  return {
    ...Object.fromEntries(Object.entries(rest).filter(([name]) => FIELDS.has(name as keyof Draft))),
    display_name: draft.display_name.trim(),
    provider: draft.provider.trim(),
    input_cost_per_1m: money(draft.input_cost_per_1m),
    output_cost_per_1m: money(draft.output_cost_per_1m),
    cost_per_image: money(draft.cost_per_image),
    context_window: whole(draft.context_window),
    max_output_tokens: whole(draft.max_output_tokens),
    valid_sizes: draft.valid_sizes.length === 0 ? null : draft.valid_sizes,
    sort_order: Number(draft.sort_order),
  };
}

const FIELDS = new Set(Object.keys(EMPTY) as (keyof Draft)[]);

/** Only what differs from the model that was edited. */
export function changes(draft: Draft, model: Model): Changed {
  const before = values(draftOf(model)) as Record<string, unknown>;
  const after = values(draft) as Record<string, unknown>;
  const changed = Object.entries(after).filter(
    ([name, value]) => JSON.stringify(value) !== JSON.stringify(before[name]),
  );
  return { version: model.version, ...Object.fromEntries(changed) };
}

export function order(draft: Draft): Ordered {
  const given = Object.entries(values(draft)).filter(([, value]) => value !== null && value !== "");
  return {
    ...Object.fromEntries(given),
    model_name: draft.model_name.trim(),
    model_type: draft.model_type,
    provider: draft.provider.trim(),
  };
}
