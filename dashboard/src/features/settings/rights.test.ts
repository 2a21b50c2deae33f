/** Is a button shown exactly where the server does not refuse it? */
import { expect, test } from "vitest";
import type { Session } from "@/api/session";
import type { Key } from "./queries";
import { mayRevoke, mayRotate, stateOf } from "./rights";

const KEY = {
  user: "ben",
  project: "shop",
  scopes: ["call"],
  source: "minted",
  revoked_at: null,
  expires_at: null,
} as unknown as Key;

function signedIn(user: string, role: Session["role"], ...projects: string[]): Session {
  return { user, role, projects } as unknown as Session;
}

test("a member does so with their own keys, and a manager with those of their projects", () => {
  for (const may of [mayRevoke, mayRotate]) {
    expect(may(signedIn("ben", "member"), KEY)).toBe(true);
    expect(may(signedIn("ana", "member"), KEY)).toBe(false);
    expect(may(signedIn("ana", "manager", "shop"), KEY)).toBe(true);
    expect(may(signedIn("ana", "manager", "web"), KEY)).toBe(false);
    expect(may(null, KEY)).toBe(false);
  }
});

test("nobody is offered the text of a key that can do more than they", () => {
  const admins = { ...KEY, scopes: ["call", "admin"] };
  const reads = { ...KEY, scopes: ["call", "read"] };
  expect(mayRotate(signedIn("ben", "member"), admins)).toBe(false);
  expect(mayRotate(signedIn("ben", "member"), reads)).toBe(true);
  expect(mayRotate(signedIn("ana", "manager", "shop"), reads)).toBe(false);
  expect(mayRotate(signedIn("root", "admin"), admins)).toBe(true);
});

test("a key of the file, or one that was revoked, is changed by nobody", () => {
  const root = signedIn("root", "admin");
  expect(mayRevoke(root, { ...KEY, source: "file" })).toBe(false);
  expect(mayRotate(root, { ...KEY, revoked_at: "2026-01-01T00:00:00Z" })).toBe(false);
});

test("a key ends at its moment", () => {
  const ends = { ...KEY, expires_at: "2026-01-01T00:00:00Z" };
  const moment = Date.parse("2026-01-01T00:00:00Z");
  expect([stateOf(ends, moment - 1), stateOf(ends, moment)]).toEqual(["valid", "expired"]);
});
