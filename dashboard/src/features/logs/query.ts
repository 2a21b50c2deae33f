/** Which calls are meant? From the address's filters to what the API is asked for. */
import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { api, read, type Schemas } from "@/api/client";
import type { paths } from "@/api/schema";
import { useProject, useRange } from "@/lib/range";

export type Call = Schemas["Call"];
export type LogQuery = NonNullable<paths["/api/v1/usage-logs"]["get"]["parameters"]["query"]>;

export const PAGE_ROWS = 100;
const route = getRouteApi("/framed/logs");

/** Filters of the address besides project and time, in the order they are offered. */
export const FILTERS = [
  "provider",
  "model",
  "status",
  "key",
  "user",
  "customer",
  "tag",
  "upstream",
  "category",
  "bucket",
  "ending",
  "status_code",
  "usage_source",
  "unpriced",
  "fallback",
] as const;
export type Filter = (typeof FILTERS)[number];

/** Those that sums are kept for; with any other only the calls are counted. */
const SUMMED: readonly Filter[] = ["provider", "key", "user", "category", "bucket", "usage_source"];

export function useLogQuery(): LogQuery {
  const search = route.useSearch();
  const range = useRange();
  const project = useProject();
  const yes = (value: string | undefined): boolean | undefined =>
    value === undefined ? undefined : value === "true";
  return {
    actual_provider: search.provider,
    bucket: search.bucket as LogQuery["bucket"],
    category: search.category as LogQuery["category"],
    model: search.model,
    status: search.status,
    status_code: search.status_code,
    ending: search.ending as LogQuery["ending"],
    user: search.user,
    key: search.key,
    customer: search.customer,
    tag: search.tag,
    upstream_provider: search.upstream,
    usage_source: search.usage_source,
    unpriced: yes(search.unpriced),
    fallback: yes(search.fallback),
    project,
    from: range.from,
    to: range.to,
  };
}

export function readPage(query: LogQuery, cursor: string | undefined, signal?: AbortSignal) {
  // The end of the range is left open while it is now, so that new calls come in.
  return read(
    api.GET("/api/v1/usage-logs", {
      params: { query: { limit: PAGE_ROWS, ...query, cursor } },
      signal,
    }),
  );
}

/** The pages read so far; further ones by their cursors. */
export function useLog(query: LogQuery) {
  return useInfiniteQuery({
    queryKey: ["usage-logs", query],
    queryFn: ({ pageParam, signal }) => readPage(query, pageParam, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next_cursor ?? undefined,
    placeholderData: keepPreviousData,
    // What was read stays as it was: the live tail brings what is new.
    staleTime: 60_000,
    refetchOnWindowFocus: false,
  });
}

/** Sums over all that the filter lets by; null where the filter has something else in it. */
export function useSums(query: LogQuery) {
  const search = route.useSearch();
  const isSummed = FILTERS.every((name) => search[name] === undefined || SUMMED.includes(name));
  const list = <T>(value: T | null | undefined): T[] => (value ? [value] : []);
  const asked = {
    group_by: ["category" as const],
    top: 1,
    provider: list(query.actual_provider),
    bucket: list(query.bucket),
    category: list(query.category),
    project: list(query.project),
    user: list(query.user),
    key: list(query.key),
    usage_source: list(query.usage_source),
    from: query.from,
    to: query.to,
  };
  const sums = useQuery({
    queryKey: ["insight", "sums", asked],
    queryFn: ({ signal }) =>
      read(api.GET("/api/v1/insight/breakdown", { params: { query: asked }, signal })),
    enabled: isSummed,
    placeholderData: keepPreviousData,
    refetchInterval: 30_000,
  });
  return { isSummed, total: isSummed ? sums.data?.total : undefined };
}

/** The names that can be filtered by: those that calls of this time have. */
export function useNames(groupBy: "provider" | "model" | "key" | "user"): string[] {
  const { from, to } = useRange();
  const asked = { group_by: groupBy, from, to, limit: 200 };
  const { data } = useQuery({
    queryKey: ["usage", "names", asked],
    queryFn: ({ signal }) => read(api.GET("/api/v1/usage", { params: { query: asked }, signal })),
    staleTime: 60_000,
    placeholderData: keepPreviousData,
  });
  return (data?.groups ?? []).flatMap(({ group }) => (group ? [group] : []));
}
