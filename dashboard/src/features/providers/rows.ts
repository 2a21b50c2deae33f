/** What stands in a provider's row, whether a table or cards show it, and in which order? */
import { thousandfold } from "@/lib/decimal";
import type { Endpoint } from "@/lib/endpoints";
import { providerName } from "@/lib/providers";
import type { ProviderView } from "./query";

export type Row = ProviderView & { id: string; callShare: number | null; state: string };

const SORTS: Readonly<Record<string, (row: Row) => number | string>> = {
  provider: (row) => providerName(row.provider),
  callShare: (row) => -(row.callShare ?? -1),
  success: (row) => -(row.attempt_success_rate ?? -1),
  p50: (row) => row.latency_ms?.p50 ?? Number.POSITIVE_INFINITY,
  p95: (row) => row.latency_ms?.p95 ?? Number.POSITIVE_INFINITY,
  cost: (row) => Number(row.average_cost_usd ?? Number.POSITIVE_INFINITY),
};

/** Worst first: an open breaker is what one must know. */
function stateOf(provider: string, endpoints: readonly Endpoint[]): string {
  const own = endpoints.filter((one) => one.provider === provider && !one.withdrawn_at);
  if (own.length === 0) return "no endpoint here";
  const breakers = own.flatMap((one) => Object.values(one.breakers));
  if (breakers.includes("open")) return "✕ breaker open";
  if (breakers.includes("half_open")) return "… being tried again";
  return own.some((one) => one.enabled) ? "✔ in use" : "switched off";
}

export function rowsOf(
  providers: readonly ProviderView[],
  endpoints: readonly Endpoint[],
  sort: string,
): Row[] {
  const calls = providers.reduce((sum, row) => sum + row.calls, 0);
  const key = SORTS[sort] ?? SORTS.callShare;
  return providers
    .map(
      (row): Row => ({
        ...row,
        id: `${row.provider}/${row.category}`,
        callShare: calls > 0 ? row.calls / calls : null,
        state: stateOf(row.provider, endpoints),
      }),
    )
    .sort((one, other) => {
      const [a, b] = [key?.(one) ?? 0, key?.(other) ?? 0];
      return a < b ? -1 : a > b ? 1 : 0;
    });
}

/** What a thousand calls cost; null: not all of them have a price. */
export function costOf1k(row: Row): string | null {
  return row.average_cost_usd === null ? null : thousandfold(row.average_cost_usd);
}
