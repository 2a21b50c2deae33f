/** What do we spend, and is that all right? */
import { Box, SimpleGrid, Skeleton, Stack } from "@mantine/core";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { lazy, type ReactElement, Suspense } from "react";
import { Empty, Panel, StateOf } from "@/components/States";
import { Alerts } from "./Alerts";
import { Budgets } from "./Budgets";
import { FirstCall } from "./FirstCall";
import { Legend } from "./Legend";
import { useCostsBefore, useOverview } from "./query";
import { Spend } from "./Spend";
import { columnsOf, type Grain } from "./series";
import { Tops } from "./Tops";

const CostChart = lazy(() => import("./CostChart"));
const route = getRouteApi("/framed/");
const CHART_PX = 280;

export default function OverviewPage(): ReactElement {
  const { provider } = route.useSearch();
  const navigate = useNavigate({ from: "/" });
  const all = useOverview(undefined);
  const shown = useOverview(provider);
  const grain = shown.data?.grain as Grain | undefined;
  const before = useCostsBefore(shown.data?.previous_span, grain, provider);
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
                  columns={columnsOf(overview, before)}
                  grain={overview.grain as Grain}
                  height={CHART_PX}
                />
              )}
            </Suspense>
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
