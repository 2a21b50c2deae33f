/** Who may do what? */
import { Tabs } from "@mantine/core";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import type { ReactElement } from "react";
import { useIsAdmin } from "@/api/session";
import { Audit } from "./Audit";
import { Endpoints } from "./Endpoints";
import { Keys } from "./Keys";
import { Sessions } from "./Sessions";
import { Users } from "./Users";

const route = getRouteApi("/framed/settings");
const TABS = [
  { value: "keys", label: "Keys", Part: Keys, adminOnly: false },
  { value: "users", label: "Users", Part: Users, adminOnly: true },
  { value: "endpoints", label: "Endpoints", Part: Endpoints, adminOnly: false },
  { value: "audit", label: "Audit log", Part: Audit, adminOnly: true },
  { value: "sessions", label: "Session", Part: Sessions, adminOnly: false },
] as const;

export default function SettingsPage(): ReactElement {
  const { tab } = route.useSearch();
  const navigate = useNavigate({ from: "/settings" });
  const isAdmin = useIsAdmin();
  const shown = TABS.filter((one) => isAdmin || !one.adminOnly);
  const value = shown.find((one) => one.value === tab)?.value ?? "keys";
  return (
    <Tabs
      value={value}
      onChange={(chosen) =>
        void navigate({
          search: (before) => ({
            ...before,
            tab: chosen === "keys" ? undefined : (chosen as Exclude<typeof value, "keys">),
          }),
        })
      }
      keepMounted={false}
    >
      <Tabs.List mb="md" style={{ flexWrap: "nowrap", overflowX: "auto", overflowY: "hidden" }}>
        {shown.map((one) => (
          <Tabs.Tab key={one.value} value={one.value} flex="none">
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
