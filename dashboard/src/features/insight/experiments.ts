/** What is an experiment, what has it found, and how is that said and drawn? */
import { useQuery } from "@tanstack/react-query";
import { api, read, type Schemas } from "@/api/client";
import { useIsAdmin } from "@/api/session";
import { duration, money, percent, points } from "@/lib/format";

export type Experiment = Schemas["ExperimentView"];
export type Result = Schemas["ResultView"];
export type ArmResult = Schemas["ArmResultView"];
export type Difference = Schemas["DifferenceView"];
export type Route = Schemas["Route"];
export type Objective = NonNullable<Schemas["ExperimentOrder"]["objective"]>;

/** Whoever changes something has both read anew. */
export const EXPERIMENTS = ["experiments"];
export const ROUTES = ["routes"];
const REFRESH_MS = 30_000;

export function useExperiments() {
  return useQuery({
    queryKey: [...EXPERIMENTS, "list"],
    queryFn: ({ signal }) => read(api.GET("/api/v1/experiments", { signal })),
    refetchInterval: REFRESH_MS,
  });
}

/** What was found so far; for administrators. */
export function useResult(experiment: Experiment) {
  const isAdmin = useIsAdmin();
  const { name, running } = experiment;
  return useQuery({
    queryKey: [...EXPERIMENTS, "results", name, running],
    queryFn: ({ signal }) =>
      read(api.GET("/api/v1/experiments/{name}/results", { params: { path: { name } }, signal })),
    enabled: isAdmin,
    refetchInterval: running && REFRESH_MS,
  });
}

export function useRoutes() {
  return useQuery({
    queryKey: ROUTES,
    queryFn: ({ signal }) => read(api.GET("/api/v1/routes", { signal })),
  });
}

export const isInUse = (route: Route): boolean => route.enabled && route.withdrawn_at === null;

/** A measure of an arm: its words, and which way is good. */
interface Measure {
  of: Objective;
  title: string;
  word: string;
  better: 1 | -1;
  pick: (arm: ArmResult) => ArmResult["success"];
  /** A mean as it is written. */
  say: (mean: string | null) => string;
  /** A difference's size without its sign, beside the first arm's mean. */
  sayChange: (change: number, first: number) => string;
}

const relative = (change: number, first: number): string => percent(Math.abs(change / first));

export const MEASURES: readonly Measure[] = [
  {
    of: "cost",
    title: "Cost per call",
    word: "cost",
    better: -1,
    pick: (arm) => arm.cost_per_call_usd,
    say: money,
    sayChange: (change, first) => (first > 0 ? relative(change, first) : money(Math.abs(change))),
  },
  {
    of: "latency",
    title: "Latency",
    word: "latency",
    better: -1,
    pick: (arm) => arm.latency_ms,
    say: (mean) => duration(mean === null ? null : Number(mean)),
    sayChange: (change, first) =>
      first > 0 ? relative(change, first) : duration(Math.abs(change)),
  },
  {
    of: "success",
    title: "Success",
    word: "success",
    better: 1,
    pick: (arm) => arm.success,
    say: (mean) => percent(mean === null ? null : Number(mean)),
    sayChange: points,
  },
];

export function measureOf(objective: string): Measure {
  const found = MEASURES.find((one) => one.of === objective) ?? MEASURES[0];
  if (!found) throw new RangeError(objective);
  return found;
}

/** How far the axis of a measure goes to either side of "no difference"; 0 without any. */
export function reachOf(arms: readonly ArmResult[], measure: Measure): number {
  const ends = arms.flatMap((arm) => {
    const found = measure.pick(arm).difference;
    return found ? [found.value, found.low ?? "0", found.high ?? "0"] : [];
  });
  return Math.max(0, ...ends.map((end) => Math.abs(Number(end))));
}

/** A difference in words: `32 % less; between 40 % less and 24 % less`. */
export function changeWords(measure: Measure, found: Difference, first: number): string {
  const value = Number(found.value);
  const head = value === 0 ? "no difference" : signed(measure, value, first);
  if (found.low === null || found.high === null) return `${head}; how sure is not known yet`;
  const [low, high] = [Number(found.low), Number(found.high)];
  return `${head}; between ${signed(measure, low, first)} and ${signed(measure, high, first)}`;
}

function signed(measure: Measure, change: number, first: number): string {
  const size = measure.sayChange(change, first);
  return change === 0 ? "none" : `${size} ${change > 0 ? "more" : "less"}`;
}

export interface Verdict {
  tone: "good" | "open" | "bad";
  title: string;
  text: string;
}

/** What an experiment says by now, in plain words. */
export function verdictOf({ experiment, arms, best, reason }: Result): Verdict {
  const [first] = arms;
  const measure = measureOf(experiment.objective);
  if (best === null || !first) {
    const why = reason ? `${reason.charAt(0).toUpperCase()}${reason.slice(1)}.` : "";
    const next = experiment.running ? " Let it run on." : "";
    return { tone: "open", title: "Nothing is sure yet", text: `${why}${next}` };
  }
  if (best === first.name) {
    return {
      tone: "good",
      title: `${best} is surely the best by ${measure.word}`,
      text: "All others surely do worse: leave the route as it is.",
    };
  }
  const won = arms.find((arm) => arm.name === best);
  const found = won && measure.pick(won).difference;
  const base = Number(measure.pick(first).mean ?? 0);
  return {
    tone: "good",
    title: `${best} is surely better than ${first.name} by ${measure.word}`,
    text: found ? `${changeWords(measure, found, base)}.` : "",
  };
}

/** How it ended; null while it runs. */
export function endOf(experiment: Experiment): Verdict | null {
  const { running, ended_by, end_reason, applied_arm } = experiment;
  if (running) return null;
  const why = end_reason ? `${end_reason.charAt(0).toUpperCase()}${end_reason.slice(1)}` : "";
  if (ended_by === "guarded") return { tone: "bad", title: "Its guardrail stopped it", text: why };
  if (applied_arm) {
    return { tone: "good", title: `${applied_arm} was put first on the route`, text: why };
  }
  return { tone: "open", title: "It was ended", text: why };
}

/** `guarded` → `stopped by its guardrail`. */
export function stateWords(experiment: Experiment): string {
  if (experiment.running) return "running";
  if (experiment.ended_by === "guarded") return "stopped by its guardrail";
  return experiment.applied_arm ? `${experiment.applied_arm} applied` : "ended";
}
