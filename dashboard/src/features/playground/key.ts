/** With which key are calls made? It is kept in this page's memory alone, and gone with it. */
import { useSyncExternalStore } from "react";

export interface HeldKey {
  text: string;
  /** What it is called; undefined for one that was typed. */
  name?: string;
  expiresAt?: string | null;
}

let held: HeldKey | null = null;
const listeners = new Set<() => void>();

export const key = {
  get: (): HeldKey | null => held,
  set: (next: HeldKey | null): void => {
    held = next;
    for (const listener of listeners) listener();
  },
};

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useKey(): HeldKey | null {
  return useSyncExternalStore(subscribe, key.get);
}
