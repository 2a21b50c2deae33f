/** Who is signed in, with which role, and how does one sign in and out? */
import { type QueryClient, queryOptions, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, read, type Schemas } from "./client";
import { csrf, signInDone } from "./connection";
import { ApiError } from "./errors";

export type Session = Schemas["SessionShown"];
type Credentials = { username: string; password: string } | { link_token: string };

/** The session of the cookie; null where nobody is signed in. */
export const sessionQuery = queryOptions({
  queryKey: ["session"],
  queryFn: async ({ signal }): Promise<Session | null> => {
    try {
      const session = await read(api.GET("/api/v1/auth/session", { signal }));
      csrf.set(session.csrf_token);
      return session;
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) return null;
      throw error;
    }
  },
  // Not asked again by itself: whoever is signed out in the middle of something is told by the
  // first request that is refused, and signs in over the page.
  staleTime: Number.POSITIVE_INFINITY,
  refetchOnReconnect: false,
});

export function useSession(): Session | null {
  return useQuery(sessionQuery).data ?? null;
}

export function useIsAdmin(): boolean {
  return useSession()?.role === "admin";
}

/** Which ways to sign in this installation offers. */
export const methodsQuery = queryOptions({
  queryKey: ["sign-in-methods"],
  queryFn: ({ signal }) => read(api.GET("/api/v1/auth/methods", { signal })),
  staleTime: 5 * 60_000,
});

/** Put down who is signed in now. A question asked before may still be answered with "nobody". */
async function setSession(queries: QueryClient, session: Session | null): Promise<void> {
  await queries.cancelQueries({ queryKey: sessionQuery.queryKey });
  csrf.set(session?.csrf_token);
  queries.setQueryData(sessionQuery.queryKey, session);
}

export function useSignIn(): (credentials: Credentials) => Promise<Session> {
  const queries = useQueryClient();
  return async (credentials) => {
    const before = queries.getQueryData(sessionQuery.queryKey);
    const session = await read(api.POST("/api/v1/auth/session", { body: credentials }));
    // What somebody else saw is not shown to the next one.
    if (before && before.user !== session.user) queries.clear();
    await setSession(queries, session);
    signInDone();
    return session;
  };
}

/** Whether somebody has signed in meanwhile, in another window; then all that waits goes on. */
export function useLookAgain(): () => Promise<void> {
  const queries = useQueryClient();
  return async () => {
    const session = await read(api.GET("/api/v1/auth/session")).catch(() => null);
    if (!session) return;
    await setSession(queries, session);
    signInDone();
  };
}

export function useSignOut(): () => Promise<void> {
  const queries = useQueryClient();
  return async () => {
    await read(api.DELETE("/api/v1/auth/session"));
    queries.clear();
    await setSession(queries, null);
  };
}
