/** Which calls are meant? From the address's filters to what the API is asked for. */
import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useMemo } from "react";
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
      // How many there are is asked for when the rows stand there.
      params: { query: { limit: PAGE_ROWS, ...query, cursor, total: false } },
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

/** How many calls a filter lets by, and their sums where such are kept; asked once `isDue`. */
export function useTotals(query: LogQuery, isDue: boolean) {
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
    enabled: isSummed && isDue,
    placeholderData: keepPreviousData,
    refetchInterval: 30_000,
  });
  const counted = useQuery({
    queryKey: ["usage-logs-count", query],
    queryFn: ({ signal }) =>
      read(api.GET("/api/v1/usage-logs", { params: { query: { ...query, limit: 1 } }, signal })),
    enabled: !isSummed && isDue,
  });
  return isSummed
    ? { isSummed, total: sums.data?.total, counted: undefined }
    : { isSummed, total: undefined, counted: counted.data?.total ?? undefined };
}

type Named = "provider" | "model" | "key" | "user";
const DAY_MS = 24 * 60 * 60 * 1000;

/**
 * The names that can be filtered by, once somebody looks for one: those that calls of this time
 * have. Of keys and users, which may be ten thousand, those of its last day; any may be typed.
 */
export function useNames(groupBy: Named, isWanted: boolean) {
  const { from, to, hours } = useRange();
  const isMany = groupBy === "key" || groupBy === "user";
  const lastDay = new Date(Date.parse(from) + hours * 3_600_000 - DAY_MS).toISOString();
  const since = isMany && lastDay > from ? lastDay : from;
  const asked = { group_by: groupBy, from: since, to, limit: 200 };
  const { data, isPending } = useQuery({
    queryKey: ["usage", "names", asked],
    queryFn: ({ signal }) => read(api.GET("/api/v1/usage", { params: { query: asked }, signal })),
    enabled: isWanted,
    staleTime: 60_000,
    placeholderData: keepPreviousData,
  });
  const names = useMemo(
    () => (data?.groups ?? []).flatMap(({ group }) => (group ? [group] : [])),
    [data],
  );
  return { names, isReading: isWanted && isPending };
}
