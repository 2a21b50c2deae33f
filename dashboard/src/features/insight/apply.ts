/** How is a recommendation put into force, and taken back? By the order of the endpoints. */
import { api, read } from "@/api/client";
import { type Endpoint, isOn, priorityOf, serves } from "@/lib/endpoints";
import type { Category } from "@/lib/names";
import { providerName } from "@/lib/providers";

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
  const open = endpoints.filter((one) => isOn(one, category) && serves(one, category));
  // Without a key it is not asked, wherever it stands.
  const able = open.filter((one) => one.has_key);
  const rank = (one: Endpoint): number => priorityOf(one, category);
  const [mine] = able.filter((one) => one.provider === provider).sort((a, b) => rank(a) - rank(b));
  if (!mine) {
    const what = open.some((one) => one.provider === provider) ? "has a key" : "is enabled";
    return `No endpoint of ${providerName(provider)} ${what} for ${category}.`;
  }
  const least = Math.min(...able.filter((one) => one.name !== mine.name).map(rank), Infinity);
  if (rank(mine) < least) return `${providerName(provider)} is asked first already.`;
  if (mine.source === "file")
    return `${mine.name} is set in the configuration file: change it there.`;
  return { endpoint: mine.name, before: rank(mine), after: least - 1 };
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
