/** Which endpoints are there, what do they serve, and in which order are they asked? */
import { useQuery } from "@tanstack/react-query";
import { api, read, type Schemas } from "@/api/client";
import type { Category } from "./names";

export type Endpoint = Schemas["EndpointView"];
/** The list in the cache: whoever changes an endpoint has it read anew. */
export const ENDPOINTS = ["endpoints"];

export function useEndpoints(refreshMs?: number) {
  return useQuery({
    queryKey: ENDPOINTS,
    queryFn: ({ signal }) => read(api.GET("/api/v1/endpoints", { signal })),
    refetchInterval: refreshMs ?? false,
  });
}

/** Lower is tried first; a category may have a number of its own. */
export function priorityOf(endpoint: Endpoint, category: Category | undefined): number {
  const own = category ? endpoint.category_priority[category] : undefined;
  return own ?? endpoint.priority;
}

export function isOn(endpoint: Endpoint, category: Category | undefined): boolean {
  return endpoint.enabled && !(category && endpoint.disabled_categories.includes(category));
}

/** Whether there is anything for a category: a default model, or models without a route. */
export function serves(endpoint: Endpoint, category: Category | undefined): boolean {
  if (endpoint.withdrawn_at !== null) return false;
  if (!category) return true;
  return category in endpoint.default_models || (endpoint.models[category]?.length ?? 0) > 0;
}
