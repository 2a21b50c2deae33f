/** What should somebody know that they have not read yet? */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, read, type Schemas } from "@/api/client";

export type Alert = Schemas["AlertShown"];

/** All lists of alerts in the cache begin so: whoever reads one has them read anew. */
export const ALERTS = ["alerts"];
const NEWEST_MAX = 5;
const REFRESH_MS = 60_000;

/** The newest that are unread, and how many there are in all. */
export function useUnread() {
  const query = { unread: true, limit: NEWEST_MAX };
  return useQuery({
    queryKey: [...ALERTS, "unread"],
    queryFn: ({ signal }) => read(api.GET("/api/v1/alerts", { params: { query }, signal })),
    refetchInterval: REFRESH_MS,
    retry: false,
  });
}

/** Mark one as read, by whoever is signed in; for others it stays unread. */
export function useMarkRead() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (alert_id: string) =>
      read(api.POST("/api/v1/alerts/{alert_id}/read", { params: { path: { alert_id } } })),
    onSettled: () => queries.invalidateQueries({ queryKey: ALERTS }),
  });
}
