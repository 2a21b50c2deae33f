/** Which calls have come since the list was read? Held back while somebody reads. */
import { useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useState } from "react";
import { type Call, type LogQuery, readPage } from "./query";

const ASK_EVERY_MS = 2000;
/** So many are kept above the list; the oldest of them go. */
const ROWS_MAX = 1000;

interface Tail {
  /** To be shown above the list. */
  rows: Call[];
  /** How many are held back. */
  waiting: number;
  show: () => void;
}

export function useTail(
  query: LogQuery,
  listed: readonly Call[],
  { on, paused }: { on: boolean; paused: boolean },
): Tail {
  const newest = useQuery({
    queryKey: ["usage-logs-tail", query],
    queryFn: ({ signal }) => readPage(query, undefined, signal),
    enabled: on,
    refetchInterval: ASK_EVERY_MS,
    gcTime: 0,
  });
  const [shown, setShown] = useState<Call[]>([]);
  const filter = JSON.stringify(query);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another filter is another tail
  useEffect(() => setShown([]), [filter, on]);
  const fresh = useMemo(() => {
    if (!on || !newest.data) return [];
    const known = new Set([...shown, ...listed.slice(0, 500)].map((call) => call.call_id));
    const last = shown[0] ?? listed[0];
    // What is older than the newest row came late; the next reading of the list has it.
    return newest.data.calls.filter(
      (call) =>
        !known.has(call.call_id) &&
        (!last || (call.accounted_at ?? "") >= (last.accounted_at ?? "")),
    );
  }, [on, newest.data, shown, listed]);
  const take = (): void => setShown((before) => [...fresh, ...before].slice(0, ROWS_MAX));
  // biome-ignore lint/correctness/useExhaustiveDependencies: `take` is made of `fresh`
  useEffect(() => {
    if (!paused && fresh.length > 0) take();
  }, [paused, fresh]);
  return { rows: shown, waiting: paused ? fresh.length : 0, show: take };
}
