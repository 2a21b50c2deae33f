/** Who was expected to serve, and who did? */
import { Skeleton } from "@mantine/core";
import { lazy, type ReactElement, Suspense } from "react";
import { Empty, Panel, StateOf } from "@/components/States";
import { useFlows } from "@/lib/insight";
import { useCategory } from "./query";

const Flow = lazy(() => import("@/components/ProviderFlow"));

export function Fallback(): ReactElement {
  const category = useCategory();
  const query = useFlows(category);
  return (
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
  );
}
