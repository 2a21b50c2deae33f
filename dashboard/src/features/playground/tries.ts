/** What was tried since this page was loaded? Kept outside the page: looking elsewhere loses none. */
import { useSyncExternalStore } from "react";

export type Kind = "text" | "image" | "audio" | "video";

export interface Try {
  id: number;
  at: string;
  kind: Kind;
  /** What was asked for; "" is the default of the category. */
  model: string;
  prompt: string;
  state: "running" | "done" | "failed" | "stopped";
  text: string;
  /** An address of ours, or of data: of a picture, a sound, a film. */
  media?: string;
  /** Where the provider has it; it cannot be shown in this page. */
  elsewhere?: string;
  /** Of a job, from 0 to 100. */
  progress?: number;
  job?: string;
  callId?: string;
  provider?: string;
  served?: string;
  attempts?: number;
  firstMs?: number;
  wholeMs?: number;
  error?: string;
}

const KEPT_MAX = 50;
let tries: readonly Try[] = [];
const listeners = new Set<() => void>();

function publish(next: readonly Try[]): void {
  for (const dropped of next.slice(KEPT_MAX)) {
    if (dropped.media?.startsWith("blob:")) URL.revokeObjectURL(dropped.media);
  }
  tries = next.slice(0, KEPT_MAX);
  for (const listener of listeners) listener();
}

export function addTry(made: Pick<Try, "kind" | "model" | "prompt">): Try {
  const id = (tries[0]?.id ?? 0) + 1;
  const one: Try = { ...made, id, at: new Date().toISOString(), state: "running", text: "" };
  publish([one, ...tries]);
  return one;
}

export function changeTry(id: number, changed: Partial<Try> | ((one: Try) => Partial<Try>)): void {
  publish(
    tries.map((one) =>
      one.id === id ? { ...one, ...(typeof changed === "function" ? changed(one) : changed) } : one,
    ),
  );
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useTries(): readonly Try[] {
  return useSyncExternalStore(subscribe, () => tries);
}
