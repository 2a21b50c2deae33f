/** What is asked for the overview? */
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { api, read } from "@/api/client";
import { useProject, useRange } from "@/lib/range";
import { costsBefore, type Grain } from "./series";

/** A time at one look; of one provider where one is given. */
export function useOverview(provider: string | undefined) {
  const { from, to } = useRange();
  const project = useProject();
  const query = {
    from,
    to,
    project: project ? [project] : [],
    provider: provider ? [provider] : [],
  };
  return useQuery({
    queryKey: ["insight", "overview", query],
    queryFn: ({ signal }) =>
      read(api.GET("/api/v1/insight/overview", { params: { query }, signal })),
    placeholderData: keepPreviousData,
    refetchInterval: 60_000,
  });
}

/** What each interval of the time before cost, in order. */
export function useCostsBefore(
  span: { from: string; to: string } | undefined,
  grain: Grain | undefined,
  provider: string | undefined,
): (string | null)[] {
  const project = useProject();
  const query = {
    from: span?.from,
    to: span?.to,
    group_by: [grain ?? ("day" as const)],
    project: project ? [project] : [],
    provider: provider ? [provider] : [],
    top: 1000,
  };
  const { data } = useQuery({
    queryKey: ["insight", "breakdown", query],
    queryFn: ({ signal }) =>
      read(api.GET("/api/v1/insight/breakdown", { params: { query }, signal })),
    enabled: span !== undefined && grain !== undefined,
    placeholderData: keepPreviousData,
    staleTime: 5 * 60_000,
  });
  if (!span || !grain || !data) return [];
  return costsBefore(data.groups, grain, span.from, span.to);
}

/** What the days ahead will cost; asked where the columns are days, and the last one is today. */
export function useForecast(provider: string | undefined, days: number) {
  const project = useProject();
  const query = {
    days,
    project: project ? [project] : [],
    provider: provider ? [provider] : [],
  };
  return useQuery({
    queryKey: ["insight", "forecast", query],
    queryFn: ({ signal }) =>
      read(api.GET("/api/v1/insight/forecast", { params: { query }, signal })),
    enabled: days > 0,
    placeholderData: keepPreviousData,
    staleTime: 10 * 60_000,
    retry: false,
  });
}

export function useBudgets() {
  return useQuery({
    queryKey: ["budgets", "first"],
    queryFn: ({ signal }) =>
      read(api.GET("/api/v1/budgets", { params: { query: { limit: 50 } }, signal })),
    refetchInterval: 60_000,
  });
}
