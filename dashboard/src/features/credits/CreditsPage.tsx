/** What is left of credits, and what does an operation take? */
import { Tabs } from "@mantine/core";
import { getRouteApi } from "@tanstack/react-router";
import type { ReactElement } from "react";
import { Rates } from "./Rates";
import { Wallets } from "./Wallets";

const route = getRouteApi("/framed/credits");

export default function CreditsPage(): ReactElement {
  const { tab = "wallets" } = route.useSearch();
  const navigate = route.useNavigate();
  return (
    <Tabs
      value={tab}
      keepMounted={false}
      onChange={(value) =>
        void navigate({
          to: ".",
          search: (before) => ({ ...before, tab: value === "rates" ? "rates" : "wallets" }),
        })
      }
    >
      <Tabs.List mb="md">
        <Tabs.Tab value="wallets">Wallets</Tabs.Tab>
        <Tabs.Tab value="rates">Credit rates</Tabs.Tab>
      </Tabs.List>
      <Tabs.Panel value="wallets">
        <Wallets />
      </Tabs.Panel>
      <Tabs.Panel value="rates">
        <Rates />
      </Tabs.Panel>
    </Tabs>
  );
}
