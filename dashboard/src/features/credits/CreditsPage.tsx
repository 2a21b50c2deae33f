/** What is left of credits, and what does an operation take? */
import { getRouteApi } from "@tanstack/react-router";
import type { ReactElement } from "react";
import { TabbedPage } from "@/components/TabbedPage";
import { Rates } from "./Rates";
import { Wallets } from "./Wallets";

const route = getRouteApi("/framed/credits");
const PARTS = [
  { value: "wallets", label: "Wallets", Part: Wallets },
  { value: "rates", label: "Credit rates", Part: Rates },
] as const;

export default function CreditsPage(): ReactElement {
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
