/** How do calls become a table for a spreadsheet? */
import type { Call } from "./query";

export const COLUMNS = [
  "call_id",
  "accounted_at",
  "status",
  "http_status",
  "ending",
  "actual_provider_name",
  "upstream_provider_name",
  "bucket",
  "category",
  "operation",
  "label",
  "requested_model",
  "served_model",
  "endpoint",
  "user",
  "key_name",
  "project",
  "customer",
  "tags",
  "input_tokens",
  "output_tokens",
  "total_tokens",
  "usage_source",
  "cost_now_usd",
  "cost_origin",
  "unpriced_reason",
  "charge_now_usd",
  "latency_ms",
  "first_byte_ms",
  "attempts",
  "flags",
] as const satisfies readonly (keyof Call)[];

/** One cell. What a spreadsheet would take for a formula gets an apostrophe before it. */
export function cell(value: unknown): string {
  if (value === null || value === undefined) return "";
  const plain = Array.isArray(value) ? value.join(" ") : String(value);
  const text = typeof value !== "number" && /^[=+\-@\t\r]/.test(plain) ? `'${plain}` : plain;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export function line(call: Call): string {
  return COLUMNS.map((name) => cell(call[name])).join(",");
}
