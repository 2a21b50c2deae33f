/** What do we spend, and is that all right? */
import { Box, SimpleGrid, Skeleton, Stack } from "@mantine/core";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { lazy, type ReactElement, Suspense } from "react";
import { Empty, Panel, StateOf } from "@/components/States";
import { useRange } from "@/lib/range";
import { Alerts } from "./Alerts";
import { Budgets } from "./Budgets";
import { FirstCall } from "./FirstCall";
import { Legend } from "./Legend";
import { Outlook } from "./Outlook";
import { useCostsBefore, useForecast, useOverview } from "./query";
import { Spend } from "./Spend";
import { columnsOf, daysAhead, type Grain, withForecast } from "./series";
import { Tops } from "./Tops";

const CostChart = lazy(() => import("./CostChart"));
const route = getRouteApi("/framed/");
const CHART_PX = 280;

export default function OverviewPage(): ReactElement {
  const { provider } = route.useSearch();
  const { to } = useRange();
  const navigate = useNavigate({ from: "/" });
  const all = useOverview(undefined);
  const shown = useOverview(provider);
  const grain = shown.data?.grain as Grain | undefined;
  const before = useCostsBefore(shown.data?.previous_span, grain, provider);
  const columns = shown.data ? columnsOf(shown.data, before) : [];
  // Days alone are foretold, and only from today on.
  const isOpen = grain === "day" && to === undefined;
  const forecast = useForecast(provider, isOpen ? daysAhead(columns.length) : 0);
  const [ahead] = (isOpen && forecast.data?.series) || [];
  const choose = (chosen: string | undefined): void =>
    void navigate({ search: (search) => ({ ...search, provider: chosen }), replace: true });
  return (
    <StateOf
      query={shown}
      loading={<Loading />}
      isEmpty={(data) => data.total.attempts === 0 && data.total.calls === 0 && !provider}
      empty={<FirstCall />}
    >
      {(overview) => (
        <Stack gap="md">
          <Spend overview={overview} />
          <Alerts />
          <Panel title="Cost over time">
            <Legend
              providers={(all.data ?? overview).providers.top}
              chosen={provider}
              onChoose={choose}
            />
            <Suspense fallback={<Skeleton height={CHART_PX} />}>
              {overview.series.length === 0 ? (
                <Empty says="Nothing was called in this time." />
              ) : (
                <CostChart
                  columns={withForecast(columns, ahead?.points ?? [])}
                  grain={overview.grain as Grain}
                  height={CHART_PX}
                  confidence={ahead?.points.length ? forecast.data?.confidence : undefined}
                />
              )}
            </Suspense>
            {ahead && <Outlook series={ahead} unpriced={forecast.data?.unpriced ?? 0} />}
          </Panel>
          <Tops overview={overview} />
          <Budgets />
        </Stack>
      )}
    </StateOf>
  );
}

/** Grey in the page's final shape. */
function Loading(): ReactElement {
  return (
    <Stack gap="md">
      <SimpleGrid cols={{ base: 2, md: 4 }}>
        {["spend", "calls", "tokens", "success"].map((name) => (
          <Box key={name} className="panel">
            <Skeleton height={66} />
          </Box>
        ))}
      </SimpleGrid>
      <Box className="panel">
        <Skeleton height={CHART_PX + 70} />
      </Box>
      <SimpleGrid cols={{ base: 1, md: 2 }}>
        <Box className="panel">
          <Skeleton height={220} />
        </Box>
        <Box className="panel">
          <Skeleton height={220} />
        </Box>
      </SimpleGrid>
    </Stack>
  );
}
