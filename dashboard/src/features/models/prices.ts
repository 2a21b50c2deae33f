/** Which prices has a model, which of them hold, and how is one stated? */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, read, type Schemas } from "@/api/client";
import { perMany, words } from "@/lib/format";
import { type Price, refresh } from "./queries";

const VERSIONS_MAX = 500;
const RANKS = ["seed", "import", "sync", "file", "operator"];

/** All versions of a model's prices. */
export function usePrices(provider: string, model: string) {
  return useQuery({
    queryKey: ["prices", "of", provider, model],
    queryFn: async ({ signal }) => {
      const query = { provider, model, limit: VERSIONS_MAX };
      return (await read(api.GET("/api/v1/prices", { params: { query }, signal }))).prices;
    },
  });
}

export function useStatePrice() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (body: Schemas["PriceOrder"]) => read(api.POST("/api/v1/prices", { body })),
    onSettled: () => refresh(queries),
  });
}

/** What one price is for: the same unit under the same conditions. */
export function subjectOf(price: Pick<Price, "unit" | "conditions">): string {
  const conditions = Object.entries(price.conditions).map(([fact, value]) => `${fact} ${value}`);
  return [words(price.unit), ...conditions].join(", ");
}

/** `per 1M`, `per 1,000`, `each`. */
export function perText(price: Pick<Price, "per">): string {
  return price.per === 1 ? "each" : `per ${perMany(price.per)}`;
}

/** Whether it ever counts: proposals and what was rejected do not. */
export function counts(price: Price): boolean {
  return price.status === "active" || price.status === "superseded";
}

/** Which of the versions of one subject holds at an instant: the highest source, then the latest. */
export function inForce(versions: readonly Price[], at: number): Price | undefined {
  const holding = versions.filter(
    (one) =>
      one.status === "active" &&
      Date.parse(one.valid_from) <= at &&
      (one.valid_to === null || Date.parse(one.valid_to) > at),
  );
  return holding.sort(
    (a, b) =>
      RANKS.indexOf(b.source) - RANKS.indexOf(a.source) ||
      Date.parse(b.valid_from) - Date.parse(a.valid_from) ||
      Date.parse(b.recorded_at) - Date.parse(a.recorded_at),
  )[0];
}

export function bySubject(versions: readonly Price[]): Map<string, Price[]> {
  const found = new Map<string, Price[]>();
  for (const one of versions) {
    const subject = subjectOf(one);
    found.set(subject, [...(found.get(subject) ?? []), one]);
  }
  return found;
}

/** The date from which a price holds, in words; one without a beginning holds always. */
export function isAlways(price: Price): boolean {
  return Date.parse(price.valid_from) === 0;
}

/** Units that are asked for, as the API calls them, by what a model makes. */
export const UNITS: Readonly<Record<string, readonly string[]>> = {
  text: ["input", "output", "cache_read", "cache_write", "reasoning", "request"],
  image: ["image", "megapixel", "input", "output", "image_output", "request"],
  video: ["video_second", "video", "megapixel_frame", "request"],
  audio: ["character", "audio_second", "audio_minute", "input", "audio_output", "request"],
  embedding: ["input", "request"],
  rerank: ["search", "input", "request"],
  search: ["web_search", "search", "request"],
};
