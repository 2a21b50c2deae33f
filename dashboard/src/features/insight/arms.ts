/** Which arms does a new experiment have? One for each candidate of the route that takes part. */
import { countOf } from "@/lib/decimal";
import type { Route } from "./experiments";

export interface ArmDraft {
  isIn: boolean;
  name: string;
  endpoint: string;
  model: string;
  weight: string;
}

const NAME_LENGTH_MAX = 64;
const ARMS_MAX = 8;

/** A name that the label of a call can bear. */
export function nameFrom(text: string): string {
  return text.replace(/[,=\s]+/g, "-").slice(0, NAME_LENGTH_MAX);
}

/** The candidates in the order in which they are asked; names that two would have tell the model. */
export function armsOf(route: Route | undefined): ArmDraft[] {
  const asked = [...(route?.candidates ?? [])].sort((a, b) => a.priority - b.priority);
  const isTwice = (endpoint: string): boolean =>
    asked.filter((one) => one.endpoint === endpoint).length > 1;
  return asked.map(({ endpoint, model }, place) => ({
    isIn: place < ARMS_MAX,
    name: nameFrom(isTwice(endpoint) ? model : endpoint),
    endpoint,
    model,
    weight: "1",
  }));
}

/** What the API takes. */
export function armsSent(arms: readonly ArmDraft[]) {
  return arms
    .filter((arm) => arm.isIn)
    .map(({ name, endpoint, model, weight }) => ({
      name: name.trim(),
      endpoint,
      model,
      weight: countOf(weight),
    }));
}

/** The one that the others are compared with. */
export function firstName(arms: readonly ArmDraft[]): string | undefined {
  return arms.find((arm) => arm.isIn)?.name;
}
