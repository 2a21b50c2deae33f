/** Are the names right? How sure we are, why, and what would change by the rules of today. */
import { getRouteApi } from "@tanstack/react-router";
import type { ReactElement } from "react";
import { TabbedPage } from "@/components/TabbedPage";
import { Backfill } from "./Backfill";
import { Confidence } from "./Confidence";
import { Rules } from "./Rules";
import { Tester } from "./Tester";

const route = getRouteApi("/framed/attribution");
const PARTS = [
  { value: "confidence", label: "How sure", Part: Confidence },
  { value: "tester", label: "Tester", Part: Tester },
  { value: "rules", label: "Rules", Part: Rules },
  { value: "backfill", label: "Backfill", Part: Backfill, adminOnly: true },
] as const;

export default function AttributionPage(): ReactElement {
  const { tab } = route.useSearch();
  const navigate = route.useNavigate();
  return (
    <TabbedPage
      parts={PARTS}
      tab={tab}
      onChange={(chosen) =>
        void navigate({ to: ".", search: (before) => ({ ...before, tab: chosen }) })
      }
    />
  );
}
