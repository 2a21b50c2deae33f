/** In which order are endpoints tried, and which numbers must change for another order? */
import { type Endpoint, isOn, priorityOf } from "@/lib/endpoints";
import type { Category } from "@/lib/names";
import type { EndpointChange } from "./query";

export function inOrder(
  endpoints: readonly Endpoint[],
  category: Category | undefined,
): Endpoint[] {
  return [...endpoints].sort(
    (one, other) =>
      priorityOf(one, category) - priorityOf(other, category) || one.name.localeCompare(other.name),
  );
}

/** The list with one moved to another place. */
export function moved<T>(list: readonly T[], from: number, to: number): T[] {
  const next = [...list];
  const [one] = next.splice(from, 1);
  if (one !== undefined) next.splice(to, 0, one);
  return next;
}

/** The fewest changes that make the numbers rise along `wanted`. */
export function changesFor(
  wanted: readonly Endpoint[],
  category: Category | undefined,
  movedName: string,
): [string, EndpointChange][] {
  const place = wanted.findIndex((one) => one.name === movedName);
  const above = wanted[place - 1];
  const below = wanted[place + 1];
  const least = above ? priorityOf(above, category) + 1 : 0;
  const most = below ? priorityOf(below, category) - 1 : least + 9;
  if (least <= most) return [change(movedName, Math.floor((least + most) / 2), category)];
  // No number is free between the two: those below move on as far as they must.
  const changes: [string, EndpointChange][] = [];
  let last = above ? priorityOf(above, category) : -1;
  for (const one of wanted.slice(place)) {
    const now = priorityOf(one, category);
    if (one.name !== movedName && now > last) break;
    last += 1;
    if (now !== last) changes.push(change(one.name, last, category));
  }
  return changes;
}

function change(
  name: string,
  priority: number,
  category: Category | undefined,
): [string, EndpointChange] {
  return [name, { priority: category ? { [category]: priority } : priority }];
}

/** The changes that bring back what is now. */
export function undoOf(
  changes: readonly [string, EndpointChange][],
  endpoints: readonly Endpoint[],
  category: Category | undefined,
): [string, EndpointChange][] {
  return changes.flatMap(([name, { enabled, priority }]): [string, EndpointChange][] => {
    const now = endpoints.find((one) => one.name === name);
    if (!now) return [];
    const back: EndpointChange = {};
    if (enabled !== undefined && enabled !== null) {
      back.enabled = category ? { [category]: isOn(now, category) } : now.enabled;
    }
    if (priority !== undefined && priority !== null) {
      const was = priorityOf(now, category);
      back.priority = category ? { [category]: was } : was;
    }
    return [[name, back]];
  });
}
