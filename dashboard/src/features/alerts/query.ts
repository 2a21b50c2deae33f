/** Where are alerts sent, what became of each, and how is that changed? */
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, read, type Schemas } from "@/api/client";

const WEBHOOKS = ["alert-webhooks"];
const DELIVERIES_MS = 10_000;

export function useWebhooks() {
  return useQuery({
    queryKey: WEBHOOKS,
    queryFn: ({ signal }) => read(api.GET("/api/v1/alert-webhooks", { signal })),
  });
}

export function useDeliveries(name: string) {
  return useInfiniteQuery({
    queryKey: [...WEBHOOKS, name, "deliveries"],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam, signal }) =>
      read(
        api.GET("/api/v1/alert-webhooks/{name}/deliveries", {
          params: { path: { name }, query: { cursor: pageParam } },
          signal,
        }),
      ),
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    // What was not taken is tried again.
    refetchInterval: DELIVERIES_MS,
  });
}

function useChange<V, R>(run: (wanted: V) => Promise<R>) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: run,
    onSettled: () => queries.invalidateQueries({ queryKey: WEBHOOKS }),
  });
}

export const useAddWebhook = () =>
  useChange((body: Schemas["WebhookOrder"]) => read(api.POST("/api/v1/alert-webhooks", { body })));

export const useSwitchWebhook = () =>
  useChange(({ name, enabled }: { name: string; enabled: boolean }) =>
    read(
      api.PATCH("/api/v1/alert-webhooks/{name}", { params: { path: { name } }, body: { enabled } }),
    ),
  );

export const useRemoveWebhook = () =>
  useChange((name: string) =>
    read(api.DELETE("/api/v1/alert-webhooks/{name}", { params: { path: { name } } })),
  );
