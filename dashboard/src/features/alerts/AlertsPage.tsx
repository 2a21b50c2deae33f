/** What should be known: which limit is nearly used up, when is told of it, and whom? */
import { Tabs } from "@mantine/core";
import { getRouteApi } from "@tanstack/react-router";
import type { ReactElement } from "react";
import { useIsAdmin } from "@/api/session";
import { Inbox } from "./Inbox";
import { Thresholds } from "./Thresholds";
import { Webhooks } from "./Webhooks";

const route = getRouteApi("/framed/alerts");
const TABS = [
  { value: "inbox", label: "Inbox", Part: Inbox, adminOnly: false },
  { value: "thresholds", label: "Thresholds", Part: Thresholds, adminOnly: false },
  { value: "webhooks", label: "Webhooks", Part: Webhooks, adminOnly: true },
] as const;

export default function AlertsPage(): ReactElement {
  const { tab } = route.useSearch();
  const navigate = route.useNavigate();
  const isAdmin = useIsAdmin();
  const shown = TABS.filter((one) => isAdmin || !one.adminOnly);
  const value = shown.find((one) => one.value === tab)?.value ?? "inbox";
  return (
    <Tabs
      value={value}
      keepMounted={false}
      onChange={(chosen) =>
        void navigate({
          to: ".",
          search: (before) => ({
            ...before,
            tab: chosen === "thresholds" || chosen === "webhooks" ? chosen : undefined,
          }),
        })
      }
    >
      <Tabs.List mb="md">
        {shown.map((one) => (
          <Tabs.Tab key={one.value} value={one.value}>
            {one.label}
          </Tabs.Tab>
        ))}
      </Tabs.List>
      {shown.map(({ value: name, Part }) => (
        <Tabs.Panel key={name} value={name}>
          <Part />
        </Tabs.Panel>
      ))}
    </Tabs>
  );
}
