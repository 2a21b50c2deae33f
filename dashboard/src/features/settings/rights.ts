/** What may whoever is signed in do with a key? As the server decides, so that no button is refused. */
import type { Session } from "@/api/session";
import type { Key } from "./queries";

const OWN_SCOPES = ["call", "read"];

export type KeyState = "valid" | "expired" | "revoked";

export function stateOf(key: Key, now: number = Date.now()): KeyState {
  if (key.revoked_at) return "revoked";
  return key.expires_at && Date.parse(key.expires_at) <= now ? "expired" : "valid";
}

function manages(session: Session, key: Key): boolean {
  return session.role === "admin" || session.projects.includes(key.project);
}

export function mayRevoke(session: Session | null, key: Key): boolean {
  if (!session || key.source === "file" || key.revoked_at) return false;
  return manages(session, key) || key.user === session.user;
}

/** Whoever rotates a key gets its text: it must do no more than they may. */
export function mayRotate(session: Session | null, key: Key): boolean {
  if (!session || !mayRevoke(session, key)) return false;
  if (session.role === "admin") return true;
  if (key.user === session.user) return key.scopes.every((one) => OWN_SCOPES.includes(one));
  return key.scopes.join() === "call";
}
