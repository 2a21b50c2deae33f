/** What should we change? Savings first, then what it would have cost elsewhere. */
import { SegmentedControl } from "@mantine/core";
import { getRouteApi } from "@tanstack/react-router";
import type { ReactElement } from "react";
import { TabbedPage } from "@/components/TabbedPage";
import { CATEGORIES, type Category } from "@/lib/names";
import { Elsewhere } from "./Elsewhere";
import { Experiments } from "./Experiments";
import { Fallback } from "./Fallback";
import { useCategory } from "./query";
import { Savings } from "./Savings";

const route = getRouteApi("/framed/insight");
const PARTS = [
  { value: "savings", label: "Savings", Part: Savings },
  { value: "elsewhere", label: "What if", Part: Elsewhere },
  { value: "fallback", label: "Fallback", Part: Fallback },
  { value: "experiments", label: "Experiments", Part: Experiments },
] as const;

export default function InsightPage(): ReactElement {
  const { tab } = route.useSearch();
  const navigate = route.useNavigate();
  return (
    <TabbedPage
      parts={PARTS}
      tab={tab}
      onChange={(chosen) =>
        void navigate({ to: ".", search: (before) => ({ ...before, tab: chosen }) })
      }
      // Experiments are of a route, whatever it makes.
      aside={tab !== "experiments" && <CategoryChoice />}
    />
  );
}

function CategoryChoice(): ReactElement {
  const category = useCategory();
  const navigate = route.useNavigate();
  return (
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
  );
}
