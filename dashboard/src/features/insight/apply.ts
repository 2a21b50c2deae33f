/** How is a recommendation put into force, and taken back? By the order of the endpoints. */
import { api, read } from "@/api/client";
import { providerName } from "@/lib/providers";
import type { Category, Endpoint } from "./query";

export interface Change {
  endpoint: string;
  before: number;
  after: number;
}

/** What has to be done so that a provider is asked first; or why that cannot be done from here. */
export function firstOf(
  endpoints: readonly Endpoint[],
  provider: string,
  category: Category,
): Change | string {
  const able = endpoints.filter((one) => one.enabled && serves(one, category));
  const rank = (one: Endpoint): number => one.category_priority[category] ?? one.priority;
  const [mine] = able.filter((one) => one.provider === provider).sort((a, b) => rank(a) - rank(b));
  if (!mine) return `No endpoint of ${providerName(provider)} is enabled for ${category}.`;
  const least = Math.min(...able.filter((one) => one.name !== mine.name).map(rank), Infinity);
  if (rank(mine) < least) return `${providerName(provider)} is asked first already.`;
  if (mine.source === "file")
    return `${mine.name} is set in the configuration file: change it there.`;
  return { endpoint: mine.name, before: rank(mine), after: least - 1 };
}

function serves(one: Endpoint, category: Category): boolean {
  if (one.withdrawn_at !== null || one.disabled_categories.includes(category)) return false;
  return category in one.default_models || (one.models[category]?.length ?? 0) > 0;
}

/** Let an endpoint be asked at this place for a category. */
export function place(endpoint: string, category: Category, priority: number): Promise<Endpoint> {
  return read(
    api.PATCH("/api/v1/endpoints/{name}", {
      params: { path: { name: endpoint } },
      body: { priority: { [category]: priority } },
    }),
  );
}
