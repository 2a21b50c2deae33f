/** Which names can be asked for, and what do they cost? Routes, the catalogue, endpoints' own. */
import { useQuery } from "@tanstack/react-query";
import { api, read, type Schemas } from "@/api/client";
import { isOn, serves } from "@/lib/endpoints";
import { perMany, rate, words } from "@/lib/format";
import type { Kind } from "./tries";

export interface Choice {
  value: string;
  /** What it costs, as far as that is known beforehand. */
  price: string | null;
  note: string;
  sizes: string[] | null;
  /** By which names the providers that serve it know it. */
  models: string[];
  isDefault: boolean;
}
export interface Group {
  group: string;
  choices: Choice[];
}

const ROWS = 500;

export function useChoices(kind: Kind) {
  return useQuery({
    queryKey: ["playground-models"],
    queryFn: async ({ signal }) => {
      const query = { active: true, limit: ROWS };
      const [models, routes, endpoints] = await Promise.all([
        read(api.GET("/api/v1/models", { params: { query }, signal })),
        read(api.GET("/api/v1/routes", { signal })),
        read(api.GET("/api/v1/endpoints", { signal })),
      ]);
      return { models: models.models, routes: routes.routes, endpoints: endpoints.endpoints };
    },
    select: (found) => groups(kind, found.models, found.routes, found.endpoints),
    staleTime: 60_000,
  });
}

function groups(
  kind: Kind,
  models: Schemas["Model"][],
  routes: Schemas["Route"][],
  endpoints: Schemas["EndpointView"][],
): Group[] {
  const priced = new Map(models.map((one) => [one.model_name, one.pricing_display]));
  const written: Choice[] = routes
    .filter((one) => one.category === kind && one.enabled && one.withdrawn_at === null)
    .map((one) => ({
      value: one.model,
      price: one.candidates.map(({ model }) => priced.get(model)).find(Boolean) ?? null,
      note: one.candidates.map(({ endpoint }) => endpoint).join(" → ") || "in order of priority",
      sizes: null,
      models: one.candidates.map(({ model }) => model),
      isDefault: false,
    }));
  const taken = new Set(written.map((one) => one.value));
  const catalogue: Choice[] = models
    .filter((one) => one.model_type === kind && !taken.has(one.model_name))
    .map((one) => ({
      value: one.model_name,
      price: one.pricing_display,
      note: one.provider,
      sizes: one.valid_sizes,
      models: [one.model_name],
      isDefault: one.is_default,
    }));
  for (const one of catalogue) taken.add(one.value);
  const own: Choice[] = [];
  for (const one of endpoints) {
    if (!one.has_key || !isOn(one, kind) || !serves(one, kind)) continue;
    const names = [...(one.models[kind] ?? []), one.default_models[kind]];
    for (const name of names) {
      if (!name || taken.has(name)) continue;
      taken.add(name);
      const models = [name];
      own.push({ value: name, price: null, note: one.name, sizes: null, models, isDefault: false });
    }
  }
  return [
    { group: "Routes", choices: written },
    { group: "Catalogue", choices: catalogue },
    { group: "Endpoints’ own", choices: own.sort((a, b) => a.value.localeCompare(b.value)) },
  ].filter((one) => one.choices.length > 0);
}

const RATES_MAX = 4;

/** What the chosen one costs where the catalogue does not say: the prices in force by its names. */
export function useRates(choice: Choice | undefined) {
  const [model] = choice?.models ?? [];
  return useQuery({
    queryKey: ["prices", "in-force", model],
    enabled: choice !== undefined && choice.price === null && model !== undefined,
    queryFn: async ({ signal }) => {
      const query = { model, at: new Date().toISOString(), limit: RATES_MAX };
      const { prices } = await read(api.GET("/api/v1/prices", { params: { query }, signal }));
      return prices
        .map((one) => {
          const per = `${perMany(one.per)} ${words(one.unit)}`.trim();
          return `${rate(one.rate_usd)} per ${per}`;
        })
        .join(", ");
    },
    staleTime: 60_000,
  });
}
