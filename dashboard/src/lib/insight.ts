/** What do several pages ask of the insight, for the time and project of the frame? */
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { api, read } from "@/api/client";
import { money } from "./format";
import type { Category } from "./names";
import { useProject, useRange } from "./range";

/** The time and project of the frame, of one category or of all. */
export function useSlice(category: Category | undefined) {
  const { from, to } = useRange();
  const project = useProject();
  return {
    from,
    to: to ?? null,
    category: category ? [category] : [],
    project: project ? [project] : [],
  };
}

export function useFlows(category: Category | undefined) {
  const query = useSlice(category);
  return useQuery({
    queryKey: ["insight", "flows", query],
    queryFn: ({ signal }) => read(api.GET("/api/v1/insight/flows", { params: { query }, signal })),
    placeholderData: keepPreviousData,
  });
}

export function useRecommendations(category: Category) {
  const query = useSlice(category);
  return useQuery({
    queryKey: ["insight", "recommendations", query],
    queryFn: ({ signal }) =>
      read(api.GET("/api/v1/insight/recommendations", { params: { query }, signal })),
    placeholderData: keepPreviousData,
  });
}

/** A piece of advice with a capital letter and a full stop; what follows the point of an amount is cut at cents. */
export function sentence(text: string): string {
  const short = text.replace(/\$\d+(\.\d+)?/g, (amount) => money(amount.slice(1)));
  return `${short.charAt(0).toUpperCase()}${short.slice(1)}${/[.!?]$/.test(short) ? "" : "."}`;
}
