/** Which models and prices are there, and how are they changed? */
import {
  type InfiniteData,
  type QueryClient,
  useInfiniteQuery,
  useMutation,
  useQuery,
  useQueryClient,
} from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useMemo } from "react";
import { api, read, type Schemas } from "@/api/client";
import type { Changed, Ordered } from "./draft";

export type Model = Schemas["Model"];
export type Price = Schemas["Price"];
export type Change = Schemas["tollbridge__api__control__model_views__Change"];
type Pages = InfiniteData<Schemas["ModelPage"]>;

export const CAPABILITIES = ["json_mode", "vision", "function_calling"] as const;
const PAGE_ROWS = 200;
const LIST = ["models", "list"];
/** What others ask of the same catalogue, such as the playground. */
const TOUCHED = [["models"], ["prices"], ["playground-models"]];

const route = getRouteApi("/framed/models");

/** The filter as the address has it and as the API takes it. */
export function useFilter() {
  const search = route.useSearch();
  const { q, type, provider, active, capability } = search;
  return useMemo(
    () => ({
      search: q,
      type,
      provider,
      active: active && active === "true",
      default: search.default && search.default === "true",
      capabilities: capability && [capability],
    }),
    [q, type, provider, active, search.default, capability],
  );
}

export function useModels() {
  const filter = useFilter();
  return useInfiniteQuery({
    queryKey: [...LIST, filter],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam, signal }) =>
      read(
        api.GET("/api/v1/models", {
          params: { query: { ...filter, limit: PAGE_ROWS, cursor: pageParam } },
          signal,
        }),
      ),
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    placeholderData: (before) => before,
  });
}

export function useModel(name: string | undefined) {
  const queries = useQueryClient();
  return useQuery({
    queryKey: ["models", "one", name],
    enabled: name !== undefined,
    queryFn: ({ signal }) =>
      read(api.GET("/api/v1/models/{name}", { params: { path: { name: name ?? "" } }, signal })),
    // What the list has is shown while the newest is read.
    initialData: () => cached(queries, name),
    initialDataUpdatedAt: 0,
  });
}

/** What the lists know of a model. */
export function cached(queries: QueryClient, name: string | undefined): Model | undefined {
  for (const [, pages] of queries.getQueriesData<Pages>({ queryKey: LIST })) {
    for (const page of pages?.pages ?? []) {
      const found = page.models.find((one) => one.model_name === name);
      if (found) return found;
    }
  }
  return undefined;
}

/** Change what is shown of models, before the server has answered or by what it answered. */
function show(queries: QueryClient, changed: (model: Model) => Model): void {
  queries.setQueriesData<Pages>({ queryKey: LIST }, (before) =>
    before
      ? {
          ...before,
          pages: before.pages.map((page) => ({ ...page, models: page.models.map(changed) })),
        }
      : before,
  );
  queries.setQueriesData<Model>({ queryKey: ["models", "one"] }, (before) =>
    before ? changed(before) : before,
  );
}

export async function refresh(queries: QueryClient): Promise<void> {
  await Promise.all(TOUCHED.map((queryKey) => queries.invalidateQueries({ queryKey })));
}

/** A change that is shown at once, and taken back where the server refuses it. */
function useOptimistic<V, R>(
  run: (wanted: V) => Promise<R>,
  expected: (wanted: V) => (model: Model) => Model,
) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: run,
    onMutate: async (wanted: V) => {
      await queries.cancelQueries({ queryKey: ["models"] });
      const before = queries.getQueriesData({ queryKey: ["models"] });
      show(queries, expected(wanted));
      return before;
    },
    onError: (_error, _wanted, before) => {
      for (const [key, data] of before ?? []) queries.setQueryData(key, data);
    },
    onSettled: () => refresh(queries),
  });
}

export interface Switch {
  names: string[];
  isActive: boolean;
}

export function useSwitch() {
  return useOptimistic(
    ({ names, isActive }: Switch) => {
      const body = { names };
      return isActive
        ? read(api.POST("/api/v1/models/actions/activate", { body }))
        : read(api.POST("/api/v1/models/actions/deactivate", { body }));
    },
    ({ names, isActive }) =>
      (model) =>
        names.includes(model.model_name) ? { ...model, is_active: isActive } : model,
  );
}

export function useSetDefault() {
  return useOptimistic(
    (wanted: Model) =>
      read(api.POST("/api/v1/models/actions/set-default", { body: { name: wanted.model_name } })),
    (wanted) => (model) =>
      model.model_type === wanted.model_type
        ? { ...model, is_default: model.model_name === wanted.model_name }
        : model,
  );
}

export interface Edit {
  name: string;
  body: Changed;
}

export function useEdit() {
  return useOptimistic(
    ({ name, body }: Edit) =>
      read(
        api.PATCH("/api/v1/models/{name}", {
          params: { path: { name } },
          body: body as Schemas["ModelEdit"],
        }),
      ),
    ({ name, body }) =>
      (model) =>
        model.model_name === name ? { ...model, ...body, version: model.version } : model,
  );
}

export function useCreate() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (body: Ordered) =>
      read(api.POST("/api/v1/models", { body: body as Schemas["ModelOrder"] })),
    onSettled: () => refresh(queries),
  });
}

export function useRestore() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (body: Schemas["Restoration"]) =>
      read(api.POST("/api/v1/models/actions/restore", { body })),
    onSettled: () => refresh(queries),
  });
}

const CHANGES_ROWS = 100;

/** What was called and has no price; the first page is what the tab's badge counts. */
export function useUnpriced() {
  return useInfiniteQuery({
    queryKey: ["prices", "unpriced"],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam, signal }) => {
      const query = { limit: PAGE_ROWS, cursor: pageParam };
      return read(api.GET("/api/v1/prices/unpriced", { params: { query }, signal }));
    },
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  });
}

/** What is proposed against a price that holds. */
export function useDisputes() {
  return useInfiniteQuery({
    queryKey: ["prices", "disputes"],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam, signal }) => {
      const query = { limit: PAGE_ROWS, cursor: pageParam };
      return read(api.GET("/api/v1/prices/disputes", { params: { query }, signal }));
    },
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  });
}

export async function readChanges(name: string, limit = CHANGES_ROWS): Promise<Change[]> {
  const query = { name, limit };
  return (await read(api.GET("/api/v1/models/actions/history", { params: { query } }))).changes;
}
