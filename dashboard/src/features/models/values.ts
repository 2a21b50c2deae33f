/** How is a field of a model written, whichever it is? */
import { count, rate, UNKNOWN } from "@/lib/format";

const MONEY = new Set(["input_cost_per_1m", "output_cost_per_1m", "cost_per_image"]);
const COUNTS = new Set(["context_window", "max_output_tokens"]);

const TITLES: Readonly<Record<string, string>> = {
  model_name: "Name",
  display_name: "Display name",
  model_type: "Type",
  provider: "Provider",
  description: "Description",
  input_cost_per_1m: "Input, per 1M tokens",
  output_cost_per_1m: "Output, per 1M tokens",
  cost_per_image: "Per image",
  context_window: "Context window",
  max_output_tokens: "Longest answer",
  valid_sizes: "Sizes",
  supports_json_mode: "JSON mode",
  supports_vision: "Vision",
  supports_function_calling: "Function calling",
  is_active: "Active",
  is_default: "Default of its type",
  sort_order: "Order",
  origin: "Comes from",
};

export function fieldTitle(field: string): string {
  return TITLES[field] ?? field.replaceAll("_", " ");
}

export function valueText(field: string, value: unknown): string {
  if (value === null || value === undefined || value === "") {
    return field === "valid_sizes" ? "any" : UNKNOWN;
  }
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (MONEY.has(field)) return rate(String(value));
  if (COUNTS.has(field) && typeof value === "number") return `${count(value)} tokens`;
  return Array.isArray(value) ? value.join(", ") : String(value);
}
