/** How is a run worked on from here? Step by step: each answer says how far it has come. */
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useRef, useState } from "react";
import { api, read, type Schemas } from "@/api/client";

export type Run = Schemas["BackfillRun"];
export const RUNS = ["attribution", "runs"];

interface Span {
  since: string | null;
  until: string | null;
}

export const start = (span: Span) => (): Promise<Run> =>
  read(api.POST("/api/v1/attribution/backfill", { body: span }));

export const goOn = (run_id: string) => (): Promise<Run> =>
  read(
    api.POST("/api/v1/attribution/backfill/{run_id}/continue", {
      params: { path: { run_id } },
      body: {},
    }),
  );

export const takeBack = (run_id: string) => (): Promise<Run> =>
  read(
    api.POST("/api/v1/attribution/backfill/{run_id}/revert", {
      params: { path: { run_id } },
      body: {},
    }),
  );

/** Works on a run until it has ended or is stopped; what it has done stays done. */
export function useWork() {
  const queries = useQueryClient();
  const isStopped = useRef(false);
  const [run, setRun] = useState<Run | null>(null);
  const work = useMutation({
    mutationFn: async (first: () => Promise<Run>) => {
      isStopped.current = false;
      setRun(null);
      let now = await first();
      for (;;) {
        setRun(now);
        await queries.invalidateQueries({ queryKey: RUNS });
        if (now.state !== "running" || isStopped.current) return now;
        now = await goOn(now.run_id)();
      }
    },
    // Providers of the past are shown on every page.
    onSettled: () => queries.invalidateQueries(),
  });
  const stop = (): void => {
    isStopped.current = true;
  };
  return { ...work, run, stop };
}
