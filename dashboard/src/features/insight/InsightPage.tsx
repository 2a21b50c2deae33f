/** What should we change? Savings first, then what it would have cost elsewhere. */
import { Group, SegmentedControl, Skeleton, Stack, Tabs } from "@mantine/core";
import { getRouteApi } from "@tanstack/react-router";
import { lazy, type ReactElement, Suspense } from "react";
import { Empty, Panel, StateOf } from "@/components/States";
import { useFlows } from "@/lib/insight";
import { CATEGORIES, type Category } from "@/lib/names";
import { Elsewhere } from "./Elsewhere";
import { Experiments } from "./Experiments";
import { Savings } from "./Savings";

const Flow = lazy(() => import("@/components/ProviderFlow"));
const route = getRouteApi("/framed/insight");
const TABS = [
  { value: "savings", label: "Savings" },
  { value: "elsewhere", label: "What if" },
  { value: "fallback", label: "Fallback" },
  { value: "experiments", label: "Experiments" },
] as const;

export default function InsightPage(): ReactElement {
  const { category = "text", tab = "savings" } = route.useSearch();
  const navigate = route.useNavigate();
  return (
    <Tabs
      value={tab}
      keepMounted={false}
      onChange={(value) => {
        const chosen = TABS.find((one) => one.value === value)?.value;
        void navigate({ to: ".", search: (before) => ({ ...before, tab: chosen }) });
      }}
    >
      <Group justify="space-between" align="flex-end" mb="md" gap="sm">
        <Tabs.List flex={1} miw={260}>
          {TABS.map((one) => (
            <Tabs.Tab key={one.value} value={one.value}>
              {one.label}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        {tab !== "experiments" && (
          <div style={{ overflowX: "auto", maxWidth: "100%" }}>
            <SegmentedControl
              size="xs"
              aria-label="Category"
              data={[...CATEGORIES]}
              value={category}
              onChange={(value) =>
                void navigate({
                  to: ".",
                  search: (before) => ({ ...before, category: value as Category }),
                })
              }
            />
          </div>
        )}
      </Group>
      <Tabs.Panel value="savings">
        <Savings category={category} />
      </Tabs.Panel>
      <Tabs.Panel value="elsewhere">
        <Elsewhere category={category} />
      </Tabs.Panel>
      <Tabs.Panel value="fallback">
        <Fallback category={category} />
      </Tabs.Panel>
      <Tabs.Panel value="experiments">
        <Experiments />
      </Tabs.Panel>
    </Tabs>
  );
}

function Fallback({ category }: { category: Category }): ReactElement {
  const query = useFlows(category);
  return (
    <Stack gap="md">
      <Panel title="Expected and actual provider">
        <StateOf
          query={query}
          loading={<Skeleton height={280} />}
          isEmpty={(flows) => flows.flows.length === 0}
          empty={<Empty says={`No calls for ${category} in this time.`} />}
        >
          {(flows) => (
            <Suspense fallback={<Skeleton height={280} />}>
              <Flow flows={flows} />
            </Suspense>
          )}
        </StateOf>
      </Panel>
    </Stack>
  );
}
