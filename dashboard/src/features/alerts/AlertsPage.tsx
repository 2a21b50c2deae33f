/** What should be known: which limit is nearly used up, when is told of it, and whom? */
import { getRouteApi } from "@tanstack/react-router";
import type { ReactElement } from "react";
import { TabbedPage } from "@/components/TabbedPage";
import { Inbox } from "./Inbox";
import { Thresholds } from "./Thresholds";
import { Webhooks } from "./Webhooks";

const route = getRouteApi("/framed/alerts");
const PARTS = [
  { value: "inbox", label: "Inbox", Part: Inbox },
  { value: "thresholds", label: "Thresholds", Part: Thresholds },
  { value: "webhooks", label: "Webhooks", Part: Webhooks, adminOnly: true },
] as const;

export default function AlertsPage(): ReactElement {
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
