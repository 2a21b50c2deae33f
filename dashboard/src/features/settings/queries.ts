/** Which keys and users are there, what was changed, and how is it changed? */
import { useInfiniteQuery, useMutation, useQueryClient } from "@tanstack/react-query";
import { api, read, type Schemas } from "@/api/client";
import { ENDPOINTS } from "@/lib/endpoints";

export type Key = Schemas["Key"];
export type User = Schemas["User"];
export type Role = Schemas["Role"];
export type AuditEntry = Schemas["tollbridge__api__control__audit__Change"];
type KeyOrder = Schemas["tollbridge__api__control__keys__KeyOrder"];
export const ROLES = ["member", "manager", "admin"] as const satisfies readonly Role[];

const ROWS = 200;
const AUDIT_ROWS = 50;
const KEYS = ["keys"];
const USERS = ["users"];

/** All keys that may be seen, or those of one user. */
export function useKeys(user?: string) {
  return useInfiniteQuery({
    queryKey: user === undefined ? KEYS : [...KEYS, user],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam, signal }) =>
      read(
        api.GET("/api/v1/keys", {
          params: { query: { user, limit: ROWS, cursor: pageParam } },
          signal,
        }),
      ),
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  });
}

/** A change of what a list shows; the list is read anew after it. */
export function useChange<V, R>(key: readonly string[], run: (wanted: V) => Promise<R>) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: run,
    onSettled: () =>
      Promise.all([
        queries.invalidateQueries({ queryKey: key }),
        queries.invalidateQueries({ queryKey: ["audit"] }),
      ]),
  });
}

export const useMintKey = () =>
  useChange(KEYS, (body: Partial<KeyOrder> & { name: string }) =>
    read(api.POST("/api/v1/keys", { body: body as KeyOrder })),
  );

export const useRevokeKey = () =>
  useChange(KEYS, (key_id: string) =>
    read(api.DELETE("/api/v1/keys/{key_id}", { params: { path: { key_id } } })),
  );

export const useRotateKey = () =>
  useChange(KEYS, (key_id: string) =>
    read(api.POST("/api/v1/keys/{key_id}/rotate", { params: { path: { key_id } } })),
  );

export function useUsers() {
  return useInfiniteQuery({
    queryKey: USERS,
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam, signal }) =>
      read(
        api.GET("/api/v1/users", {
          params: { query: { limit: ROWS, cursor: pageParam } },
          signal,
        }),
      ),
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  });
}

export const useCreateUser = () =>
  useChange(USERS, (body: Partial<Schemas["UserOrder"]> & { name: string }) =>
    read(api.POST("/api/v1/users", { body: body as Schemas["UserOrder"] })),
  );

export const useChangeUser = () =>
  useChange(USERS, ({ name, ...body }: Schemas["UserChange"] & { name: string }) =>
    read(api.PATCH("/api/v1/users/{name}", { params: { path: { name } }, body })),
  );

export const useSetPassword = () =>
  useChange(USERS, ({ name, password }: { name: string; password: string | null }) =>
    read(
      api.PUT("/api/v1/users/{name}/password", { params: { path: { name } }, body: { password } }),
    ),
  );

export const useMakeLink = () =>
  useChange(USERS, (name: string) =>
    read(api.POST("/api/v1/users/{name}/link", { params: { path: { name } } })),
  );

export const useAddEndpointKey = () =>
  useChange(ENDPOINTS, (wanted: { endpoint: string; name: string; api_key: string }) =>
    read(
      api.POST("/api/v1/endpoints/{name}/keys", {
        params: { path: { name: wanted.endpoint } },
        body: { name: wanted.name, api_key: wanted.api_key },
      }),
    ),
  );

export const useDeleteEndpointKey = () =>
  useChange(ENDPOINTS, ({ endpoint: name, key }: { endpoint: string; key: string }) =>
    read(api.DELETE("/api/v1/endpoints/{name}/keys/{key}", { params: { path: { name, key } } })),
  );

interface AuditFilter {
  actor?: string;
  action?: string;
  subject?: string;
  from?: string;
  to?: string;
}

export function useAudit(filter: AuditFilter) {
  return useInfiniteQuery({
    queryKey: ["audit", filter],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam, signal }) =>
      read(
        api.GET("/api/v1/audit", {
          params: { query: { ...filter, limit: AUDIT_ROWS, cursor: pageParam } },
          signal,
        }),
      ),
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    placeholderData: (before) => before,
  });
}
