/** Which wallets are there, and what is left in each? */
import { Badge, Button, Group, Table, Text, UnstyledButton } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { type ReactElement, useState } from "react";
import { api, read } from "@/api/client";
import { useIsAdmin } from "@/api/session";
import { Icon } from "@/components/icons";
import { More } from "@/components/More";
import { Name } from "@/components/Name";
import stack from "@/components/Stacked.module.css";
import { Empty, Panel, StateOf } from "@/components/States";
import { sum } from "@/lib/decimal";
import { ago } from "@/lib/format";
import { Amount, amountText, type Wallet } from "./amount";
import { WalletDrawer } from "./WalletDrawer";
import { WalletForm } from "./WalletForm";

const route = getRouteApi("/framed/credits");

export function Wallets(): ReactElement {
  const isAdmin = useIsAdmin();
  const [adding, setAdding] = useState(false);
  const query = useInfiniteQuery({
    queryKey: ["wallets"],
    initialPageParam: null as string | null,
    queryFn: ({ signal, pageParam }) =>
      read(api.GET("/api/v1/wallets", { params: { query: { cursor: pageParam } }, signal })),
    getNextPageParam: (page) => page.next_cursor,
  });
  const add = (
    <Button
      size="compact-sm"
      leftSection={<Icon name="plus" size={14} />}
      onClick={() => setAdding(true)}
    >
      New wallet
    </Button>
  );
  const take = (
    // The session's cookie goes along; members get their own wallets' rows.
    <Button
      component="a"
      href="/api/v1/usage-logs/export?format=focus_credits"
      download
      size="compact-sm"
      variant="default"
      leftSection={<Icon name="download" size={14} />}
      title="Purchases, presents, uses, refunds and expiries as FOCUS 1.2 rows, for finance"
    >
      Export
    </Button>
  );
  const aside = (
    <Group gap="xs">
      {take}
      {isAdmin && add}
    </Group>
  );
  return (
    <Panel title="Wallets" aside={aside}>
      <StateOf
        query={query}
        isEmpty={({ pages }) => pages.every((page) => page.wallets.length === 0)}
        empty={
          <Empty says="There are no wallets. Calls take credits once their user, key or project has one.">
            {isAdmin && add}
          </Empty>
        }
      >
        {({ pages }) => <WalletTable wallets={pages.flatMap((page) => page.wallets)} />}
      </StateOf>
      <More query={query} />
      {adding && <WalletForm onClose={() => setAdding(false)} />}
      <WalletDrawer />
    </Panel>
  );
}

function WalletTable({ wallets }: { wallets: Wallet[] }): ReactElement {
  return (
    <div style={{ overflowX: "auto", position: "relative" }}>
      <Table highlightOnHover className={stack.stacked}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Wallet</Table.Th>
            <Table.Th ta="right">Available</Table.Th>
            <Table.Th ta="right">Balance</Table.Th>
            <Table.Th ta="right">Set aside</Table.Th>
            <Table.Th>Expires next</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {wallets.map((wallet) => (
            <WalletRow key={wallet.wallet_id} wallet={wallet} />
          ))}
        </Table.Tbody>
      </Table>
    </div>
  );
}

function WalletRow({ wallet }: { wallet: Wallet }): ReactElement {
  const navigate = route.useNavigate();
  const open = (): void =>
    void navigate({ to: ".", search: (old) => ({ ...old, wallet: wallet.name, kind: undefined }) });
  const next = wallet.expiring[0];
  const aside = sum(wallet.held, wallet.leased);
  return (
    <Table.Tr style={{ cursor: "pointer" }} onClick={open}>
      <Table.Td data-label="Wallet" maw={280}>
        <div>
          {" "}
          <Group gap={6} wrap="nowrap">
            <UnstyledButton
              miw={0}
              onClick={(event) => {
                event.stopPropagation();
                open();
              }}
            >
              <Name strong>{wallet.name}</Name>
            </UnstyledButton>
            {!wallet.enabled && (
              <Badge c="var(--mantine-color-text)" color="gray">
                off
              </Badge>
            )}
          </Group>
          <Name minor>{wallet.subject}</Name>
        </div>{" "}
      </Table.Td>
      <Table.Td
        data-label="Available"
        ta="right"
        fw={600}
        c={Number(wallet.available) <= 0 ? "var(--bad)" : undefined}
      >
        <Amount amount={wallet.available} unit={wallet.unit} named />
      </Table.Td>
      <Table.Td data-label="Balance" ta="right">
        <Amount amount={wallet.balance} unit={wallet.unit} />
      </Table.Td>
      <Table.Td data-label="Set aside" ta="right">
        {aside === "0" ? "none" : <Amount amount={aside} unit={wallet.unit} />}
      </Table.Td>
      <Table.Td data-label="Expires next">
        {next ? (
          <Text size="sm">
            {amountText(next.amount, wallet.unit)} {ago(next.expires_at)}
          </Text>
        ) : (
          <Text size="sm" c="dimmed">
            nothing soon
          </Text>
        )}
      </Table.Td>
    </Table.Tr>
  );
}
