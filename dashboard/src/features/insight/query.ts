/** What is asked of the API for this page, for the time and project of the frame? */
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { api, read, type Schemas } from "@/api/client";
import { useProject, useRange } from "@/lib/range";

export const CATEGORIES = ["text", "image", "video", "audio", "embedding", "rerank"] as const;
export type Category = (typeof CATEGORIES)[number];
export type Recommendations = NonNullable<ReturnType<typeof useRecommendations>["data"]>;
export type Advice = Recommendations["advice"][number];
export type Ranked = Recommendations["ranking"][number];
export type Endpoint = Schemas["EndpointView"];
export const ENDPOINTS = ["endpoints"];

function useSlice(category: Category) {
  const { from, to } = useRange();
  const project = useProject();
  return { from, to: to ?? null, category: [category], project: project ? [project] : [] };
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

export function useCounterfactual(category: Category) {
  const query = useSlice(category);
  return useQuery({
    queryKey: ["insight", "counterfactual", query],
    queryFn: ({ signal }) =>
      read(api.GET("/api/v1/insight/counterfactual", { params: { query }, signal })),
    placeholderData: keepPreviousData,
  });
}

export function useFlows(category: Category) {
  const query = useSlice(category);
  return useQuery({
    queryKey: ["insight", "flows", query],
    queryFn: ({ signal }) => read(api.GET("/api/v1/insight/flows", { params: { query }, signal })),
    placeholderData: keepPreviousData,
  });
}

export function useEndpoints() {
  return useQuery({
    queryKey: ENDPOINTS,
    queryFn: ({ signal }) => read(api.GET("/api/v1/endpoints", { signal })),
  });
}
