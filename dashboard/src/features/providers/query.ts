/** What is asked about providers, and what is changed of their endpoints? */
import { keepPreviousData, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, read, type Schemas } from "@/api/client";
import { ENDPOINTS, type Endpoint } from "@/lib/endpoints";
import { useSlice } from "@/lib/insight";
import type { Category } from "@/lib/names";

export type AbsentEndpoint = Schemas["AbsentEndpoint"];
export type EndpointChange = Schemas["EndpointChange"];

export function useProviders(category: Category | undefined) {
  const query = useSlice(category);
  return useQuery({
    queryKey: ["insight", "providers", query],
    queryFn: ({ signal }) =>
      read(api.GET("/api/v1/insight/providers", { params: { query }, signal })),
    placeholderData: keepPreviousData,
    refetchInterval: 60_000,
  });
}

/** One provider in one category. */
export type ProviderView = NonNullable<
  ReturnType<typeof useProviders>["data"]
>["providers"][number];

/** Breakers open and close by themselves. */
export const BREAKERS_MS = 5000;

/** Changes of several endpoints, shown at once; they are taken back where the server refuses. */
export function useChangeEndpoints() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: async (changes: readonly [name: string, change: EndpointChange][]) => {
      for (const [name, body] of changes) {
        await read(api.PATCH("/api/v1/endpoints/{name}", { params: { path: { name } }, body }));
      }
    },
    onMutate: async (changes) => {
      await queries.cancelQueries({ queryKey: ENDPOINTS });
      const before = queries.getQueryData<Schemas["EndpointList"]>(ENDPOINTS);
      const wanted = new Map(changes);
      queries.setQueryData<Schemas["EndpointList"]>(ENDPOINTS, (list) =>
        list
          ? { ...list, endpoints: list.endpoints.map((one) => changed(one, wanted.get(one.name))) }
          : list,
      );
      return { before };
    },
    onError: (_error, _changes, context) => queries.setQueryData(ENDPOINTS, context?.before),
    onSettled: () => {
      void queries.invalidateQueries({ queryKey: ENDPOINTS });
      void queries.invalidateQueries({ queryKey: ["insight", "providers"] });
    },
  });
}

function changed(endpoint: Endpoint, change: EndpointChange | undefined): Endpoint {
  if (!change) return endpoint;
  const { enabled, priority } = change;
  let next = endpoint;
  if (typeof enabled === "boolean") next = { ...next, enabled };
  else if (enabled) {
    const off = new Set(next.disabled_categories);
    for (const [category, on] of Object.entries(enabled)) {
      if (on) off.delete(category);
      else off.add(category);
    }
    next = { ...next, disabled_categories: [...off] };
  }
  if (typeof priority === "number") next = { ...next, priority };
  else if (priority) {
    next = { ...next, category_priority: { ...next.category_priority, ...priority } };
  }
  return next;
}

export function useDetach() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (name: string) =>
      read(api.POST("/api/v1/endpoints/{name}/detach", { params: { path: { name } } })),
    onSettled: () => void queries.invalidateQueries({ queryKey: ENDPOINTS }),
  });
}
