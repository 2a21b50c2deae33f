/** Who serves us, how well, at what price? */
import { SegmentedControl, SimpleGrid, Skeleton, Stack } from "@mantine/core";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { lazy, type ReactElement, Suspense } from "react";
import { Empty, Lines, Panel, StateOf } from "@/components/States";
import { useEndpoints } from "@/lib/endpoints";
import { useFlows } from "@/lib/insight";
import { CATEGORIES, type Category } from "@/lib/names";
import { CostComparison } from "./CostComparison";
import { Endpoints } from "./Endpoints";
import { ProviderTable } from "./ProviderTable";
import { BREAKERS_MS, useProviders } from "./query";
import { Recommended } from "./Recommended";

const Flow = lazy(() => import("@/components/ProviderFlow"));
const route = getRouteApi("/framed/providers");

export default function ProvidersPage(): ReactElement {
  const { category } = route.useSearch();
  const navigate = useNavigate({ from: "/providers" });
  const providers = useProviders(category);
  const endpoints = useEndpoints(BREAKERS_MS);
  const flows = useFlows(category);
  const choose = (value: string): void =>
    void navigate({
      search: (before) => ({
        ...before,
        category: value === "all" ? undefined : (value as Category),
      }),
    });
  return (
    <Stack gap="md">
      <div style={{ overflowX: "auto" }}>
        <SegmentedControl
          aria-label="Category"
          value={category ?? "all"}
          onChange={choose}
          data={[
            { value: "all", label: "All" },
            ...CATEGORIES.map((name) => ({ value: name, label: name })),
          ]}
        />
      </div>
      <Panel title="Who served">
        <StateOf
          query={providers}
          loading={<Lines count={6} height={36} />}
          isEmpty={(data) => data.providers.every((one) => (one.attempts ?? 0) === 0)}
          empty={<Empty says="Nobody was asked for anything in this time." />}
        >
          {(data) => (
            <ProviderTable
              rows={data.providers.filter((one) => (one.attempts ?? 0) > 0)}
              endpoints={endpoints.data?.endpoints ?? []}
              isOld={providers.isPlaceholderData}
            />
          )}
        </StateOf>
      </Panel>
      <SimpleGrid cols={{ base: 1, lg: 2 }} spacing="md">
        <Panel title="Expected → actual provider">
          <StateOf
            query={flows}
            loading={<Skeleton height={260} />}
            isEmpty={(data) => data.flows.length === 0}
            empty={<Empty says="No calls in this time." />}
          >
            {(data) => (
              <Suspense fallback={<Skeleton height={260} />}>
                <Flow flows={data} />
              </Suspense>
            )}
          </StateOf>
        </Panel>
        <Panel title="Cost of an answer that succeeded">
          <StateOf query={providers} loading={<Lines count={6} height={36} />}>
            {(data) => <CostComparison rows={data.providers} />}
          </StateOf>
        </Panel>
      </SimpleGrid>
      {category && <Recommended category={category} />}
      <Panel title="Endpoints, in the order they are tried">
        <StateOf query={endpoints} loading={<Lines count={8} height={44} />}>
          {(data) => (
            <Endpoints endpoints={data.endpoints} absent={data.absent} category={category} />
          )}
        </StateOf>
      </Panel>
    </Stack>
  );
}
