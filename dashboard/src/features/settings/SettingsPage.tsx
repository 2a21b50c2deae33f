/** Who may do what? */
import { getRouteApi } from "@tanstack/react-router";
import type { ReactElement } from "react";
import { TabbedPage } from "@/components/TabbedPage";
import { Account } from "./Account";
import { Audit } from "./Audit";
import { Endpoints } from "./Endpoints";
import { Keys } from "./Keys";
import { Users } from "./Users";

const route = getRouteApi("/framed/settings");
const PARTS = [
  { value: "keys", label: "Keys", Part: Keys },
  { value: "users", label: "Users", Part: Users, adminOnly: true },
  { value: "endpoints", label: "Endpoints", Part: Endpoints },
  { value: "audit", label: "Audit log", Part: Audit, adminOnly: true },
  { value: "account", label: "Account", Part: Account },
] as const;

export default function SettingsPage(): ReactElement {
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
