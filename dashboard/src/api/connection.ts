/** Is the server there, and are we still signed in? Kept outside React: requests ask it too. */
import { useSyncExternalStore } from "react";

class Signal<T> {
  private listeners = new Set<() => void>();
  constructor(private value: T) {}
  readonly get = (): T => this.value;
  readonly set = (value: T): void => {
    if (Object.is(value, this.value)) return;
    this.value = value;
    for (const listener of this.listeners) listener();
  };
  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };
}

/** Since when the server does not answer; null while it does. */
const goneSince = new Signal<number | null>(null);
/** Whether a request waits for somebody to sign in again. */
const signInWanted = new Signal(false);
let csrfToken: string | undefined;
let waiting: (() => void)[] = [];

export const csrf = {
  get: (): string | undefined => csrfToken,
  set: (token: string | undefined): void => {
    csrfToken = token;
  },
};

export function serverAnswers(): void {
  goneSince.set(null);
}

export function serverIsGone(): void {
  if (goneSince.get() === null) goneSince.set(Date.now());
}

/** Ask for a new sign-in over the page; resolves when it was done, so that a request goes on. */
export function signedInAgain(): Promise<void> {
  return new Promise((resolve) => {
    waiting.push(resolve);
    signInWanted.set(true);
  });
}

/** Let all requests go on that wait for a sign-in. */
export function signInDone(): void {
  const resolves = waiting;
  waiting = [];
  signInWanted.set(false);
  for (const resolve of resolves) resolve();
}

export function useGoneSince(): number | null {
  return useSyncExternalStore(goneSince.subscribe, goneSince.get);
}

export function useSignInWanted(): boolean {
  return useSyncExternalStore(signInWanted.subscribe, signInWanted.get);
}
