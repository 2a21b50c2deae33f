/** What is asked of the API for this page alone, for the time and project of the frame? */
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { api, read } from "@/api/client";
import { type useRecommendations, useSlice } from "@/lib/insight";
import type { Category } from "@/lib/names";

export type Recommendations = NonNullable<ReturnType<typeof useRecommendations>["data"]>;
export type Advice = Recommendations["advice"][number];
export type Ranked = Recommendations["ranking"][number];

const route = getRouteApi("/framed/insight");

/** Of what kind of calls the page speaks. */
export function useCategory(): Category {
  return route.useSearch({ select: ({ category = "text" }) => category });
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
