/** How do several names stand in one parameter of an address? Joined by a bar, which is escaped. */

const hide = (name: string): string => name.replaceAll("%", "%25").replaceAll("|", "%7C");
const bare = (text: string): string => text.replaceAll("%7C", "|").replaceAll("%25", "%");

export const COMPARED_MAX = 4;

export function join(names: readonly string[]): string {
  return names.map(hide).join("|");
}

export function split(text: string | undefined): string[] {
  return text ? text.split("|").filter(Boolean).map(bare).slice(0, COMPARED_MAX) : [];
}
