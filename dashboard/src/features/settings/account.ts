/** How are one's own password and sessions read and changed? */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, read, type Schemas } from "@/api/client";
import { sessionQuery } from "@/api/session";
import { useChange } from "./queries";

export type SessionKept = Schemas["SessionKept"];
export const PASSWORD_LENGTH_MIN = 8;

const SESSIONS = ["sessions"];

/** Sessions of one's own, or for an admin of a user. */
export function useSessions(user: string | undefined) {
  return useQuery({
    queryKey: [...SESSIONS, user ?? ""],
    queryFn: ({ signal }) =>
      read(api.GET("/api/v1/auth/sessions", { params: { query: { user } }, signal })),
  });
}

export const useEndSession = () =>
  useChange(SESSIONS, (session_id: string) =>
    read(api.DELETE("/api/v1/auth/sessions/{session_id}", { params: { path: { session_id } } })),
  );

export const useEndSessions = () =>
  useChange(SESSIONS, (user: string | undefined) =>
    read(api.DELETE("/api/v1/auth/sessions", { params: { query: { user } } })),
  );

export function useOwnPassword() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (body: Schemas["OwnPasswordOrder"]) =>
      read(api.PUT("/api/v1/auth/password", { body })),
    onSuccess: () =>
      Promise.all([
        queries.invalidateQueries({ queryKey: SESSIONS }),
        queries.invalidateQueries({ queryKey: sessionQuery.queryKey }),
      ]),
  });
}
