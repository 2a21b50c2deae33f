/**
 * As which key are calls made? Whoever is signed in gets a pass for one of their keys; one that was
 * typed stays in this page's memory alone, and is gone with it.
 */
import { useQuery } from "@tanstack/react-query";
import { useSyncExternalStore } from "react";
import { api, read, type Schemas } from "@/api/client";
import { useSession } from "@/api/session";

export type CallKey = Schemas["Key"];
/** Gives what the header Authorization says, asked anew for each request. */
export type Credential = () => Promise<string>;

let typed: string | null = null;
const listeners = new Set<() => void>();

export const typedKey = {
  set: (next: string | null): void => {
    typed = next;
    for (const listener of listeners) listener();
  },
};

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useTypedKey(): string | null {
  return useSyncExternalStore(subscribe, () => typed);
}

/** What begins here is valid for longer than what is left of the pass it begins with. */
const SPARE_MS = 60_000;
const passes = new Map<string, Schemas["Pass"]>();

/** A pass for a key by its name; one is asked for again before it ends. */
export function passFor(key: string): Credential {
  return async () => {
    const held = passes.get(key);
    if (held && Date.parse(held.expires_at) - Date.now() > SPARE_MS) return held.credential;
    const given = await read(api.POST("/api/v1/playground/pass", { body: { key } }));
    passes.set(key, given);
    return given.credential;
  };
}

export const CALL_KEYS = ["keys", "for-calls"];
const ROWS = 200;

/** The keys that somebody may call as, their own first: an admin may as any. */
export function useCallKeys() {
  const session = useSession();
  return useQuery({
    queryKey: CALL_KEYS,
    queryFn: async ({ signal }) => {
      const keys: CallKey[] = [];
      let cursor: string | undefined;
      do {
        const query = { limit: ROWS, cursor };
        const page = await read(api.GET("/api/v1/keys", { params: { query }, signal }));
        keys.push(...page.keys);
        cursor = page.next_cursor ?? undefined;
      } while (cursor);
      return keys;
    },
    select: (keys) => callable(keys, session?.user ?? "", session?.role === "admin"),
    staleTime: 30_000,
  });
}

export function callable(
  keys: readonly CallKey[],
  user: string,
  isAdmin: boolean,
  nowMs: number = Date.now(),
): CallKey[] {
  const able = keys.filter(
    (key) =>
      (isAdmin || key.user === user) &&
      !key.revoked_at &&
      !(key.expires_at && Date.parse(key.expires_at) <= nowMs) &&
      key.scopes.some((scope) => scope === "call" || scope === "admin"),
  );
  const isForeign = (key: CallKey): number => Number(key.user !== user);
  return able.sort((one, other) => isForeign(one) - isForeign(other));
}
