/** Are the names right? How sure we are, why, and what would change by the rules of today. */
import { Tabs } from "@mantine/core";
import { getRouteApi } from "@tanstack/react-router";
import type { ReactElement } from "react";
import { useIsAdmin } from "@/api/session";
import { Backfill } from "./Backfill";
import { Confidence } from "./Confidence";
import { Rules } from "./Rules";
import { Tester } from "./Tester";

const route = getRouteApi("/framed/attribution");
const TABS = [
  { value: "confidence", label: "How sure" },
  { value: "tester", label: "Tester" },
  { value: "rules", label: "Rules" },
  { value: "backfill", label: "Backfill" },
] as const;
type Tab = (typeof TABS)[number]["value"];

export default function AttributionPage(): ReactElement {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const isAdmin = useIsAdmin();
  const tabs = TABS.filter((tab) => isAdmin || tab.value !== "backfill");
  const tab = tabs.find((one) => one.value === search.tab)?.value ?? "confidence";
  return (
    <Tabs
      value={tab}
      keepMounted={false}
      onChange={(value) =>
        void navigate({ to: ".", search: (before) => ({ ...before, tab: value as Tab }) })
      }
    >
      <Tabs.List mb="md">
        {tabs.map((one) => (
          <Tabs.Tab key={one.value} value={one.value}>
            {one.label}
          </Tabs.Tab>
        ))}
      </Tabs.List>
      <Tabs.Panel value="confidence">
        <Confidence />
      </Tabs.Panel>
      <Tabs.Panel value="tester">
        <Tester />
      </Tabs.Panel>
      <Tabs.Panel value="rules">
        <Rules />
      </Tabs.Panel>
      <Tabs.Panel value="backfill">
        <Backfill />
      </Tabs.Panel>
    </Tabs>
  );
}
