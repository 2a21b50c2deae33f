/** As which keys may somebody call? */
import { expect, it } from "vitest";
import { type CallKey, callable } from "./key";

const NOW_MS = Date.parse("2026-11-22T12:00:00Z");

function key(changed: Partial<CallKey>): CallKey {
  const made = { name: "a", user: "ana", scopes: ["call"], revoked_at: null, expires_at: null };
  return { ...made, ...changed } as CallKey;
}
const names = (keys: CallKey[]): string[] => keys.map(({ name }) => name);

it("is offered one's own alone, and an admin all, their own first", () => {
  const keys = [key({ name: "theirs", user: "ben" }), key({ name: "mine" })];
  expect(names(callable(keys, "ana", false, NOW_MS))).toEqual(["mine"]);
  expect(names(callable(keys, "ana", true, NOW_MS))).toEqual(["mine", "theirs"]);
});
it("is offered none that has ended, was revoked, or makes no calls", () => {
  const keys = [
    key({ expires_at: "2026-11-22T12:00:00Z" }),
    key({ revoked_at: "2026-11-01T00:00:00Z" }),
    key({ scopes: ["read", "intake"] }),
  ];
  expect(callable(keys, "ana", true, NOW_MS)).toEqual([]);
});
