/** What should somebody know that they have not read yet? */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, read, type Schemas } from "@/api/client";
import { amountOf } from "./budget";
import { sum } from "./decimal";
import { instant } from "./format";

export type Alert = Schemas["AlertShown"];

/** What it says, with the amounts and the instant written as everywhere else. */
export function alertText(alert: Alert): string {
  const { kind, source, used, limit_amount, period_end, subject } = alert;
  const [spent, limit] = [amountOf(kind, used), amountOf(kind, limit_amount)];
  if (source === "grant") {
    const until = period_end ? ` ${instant(period_end)}` : "";
    return `${spent} of ${limit} are left of a grant that expires${until}.`;
  }
  if (source === "wallet") {
    const left = amountOf(
      kind,
      sum(limit_amount, used.startsWith("-") ? used.slice(1) : `-${used}`),
    );
    return `${left} of ${limit} are left since the last top-up.`;
  }
  const anew = period_end ? ` It begins anew ${instant(period_end)}.` : "";
  return `${spent} of ${limit} are used, for ${subject}.${anew}`;
}

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
