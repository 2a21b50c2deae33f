/** Which search parameters does a page have? Described once, checked when an address is opened. */

export type Reader<T> = (text: unknown) => T | undefined;

/** Any text that is not empty, cut at 200 characters. */
export const text: Reader<string> = (value) =>
  typeof value === "string" && value.trim() !== "" ? value.slice(0, 200) : undefined;

/** One of the given words. */
export function choice<const Words extends readonly string[]>(
  ...words: Words
): Reader<Words[number]> {
  return (value) => words.find((word) => word === value);
}

/** `true` or `false`, kept as text so that an address reads as it was written. */
export const flag = choice("true", "false");

type Described<T> = { [K in keyof T]?: T[K] extends Reader<infer V> ? V : never };

/** What `validateSearch` of a route takes: what is not described or not valid is left out. */
export function searchOf<T extends Record<string, Reader<unknown>>>(
  description: T,
): (search: Record<string, unknown>) => Described<T> {
  return (search) => {
    const found: Record<string, unknown> = {};
    for (const [name, reader] of Object.entries(description)) {
      const value = reader(search[name]);
      if (value !== undefined) found[name] = value;
    }
    return found as Described<T>;
  };
}

/** An address's search as plain text parameters: `?provider=wavespeed`, without JSON's quotes. */
export function parseSearch(search: string): Record<string, string> {
  return Object.fromEntries(new URLSearchParams(search));
}

export function stringifySearch(search: Record<string, unknown>): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(search)) {
    if (value !== undefined && value !== null && value !== "") parameters.set(name, String(value));
  }
  const text = parameters.toString();
  return text === "" ? "" : `?${text}`;
}
