/** One wallet: what is left, of which grants, and every line of its statement. */
import { Alert, Button, Drawer, Group, SimpleGrid, Stack, Text } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { type ReactElement, useState } from "react";
import { api, read } from "@/api/client";
import { useIsAdmin } from "@/api/session";
import { Stat } from "@/components/Figures";
import { Leases } from "@/components/Leases";
import { Lines, StateOf } from "@/components/States";
import { failed } from "@/components/toasts";
import { sum } from "@/lib/decimal";
import { Amount, amountText, type Wallet } from "./amount";
import { Grants } from "./Grants";
import { type Move, MoveForm } from "./MoveForm";
import { Statement } from "./Statement";

const route = getRouteApi("/framed/credits");

export function WalletDrawer(): ReactElement {
  const { wallet: name } = route.useSearch();
  const navigate = route.useNavigate();
  return (
    <Drawer
      opened={name !== undefined}
      onClose={() =>
        void navigate({
          to: ".",
          search: (old) => ({ ...old, wallet: undefined, kind: undefined }),
        })
      }
      position="right"
      size="xl"
      title={name ? `Wallet ${name}` : ""}
    >
      {name && <OneWallet name={name} key={name} />}
    </Drawer>
  );
}

function OneWallet({ name }: { name: string }): ReactElement {
  const query = useQuery({
    queryKey: ["wallets", name],
    queryFn: ({ signal }) =>
      read(api.GET("/api/v1/wallets/{name}", { params: { path: { name } }, signal })),
  });
  return (
    <StateOf query={query} loading={<Lines count={8} />}>
      {(wallet) => (
        <Stack gap="lg">
          <Head wallet={wallet} />
          <Grants wallet={wallet} />
          <Leases of="wallet" name={wallet.name} />
          <Statement wallet={wallet} />
        </Stack>
      )}
    </StateOf>
  );
}

function Head({ wallet }: { wallet: Wallet }): ReactElement {
  const isAdmin = useIsAdmin();
  const queries = useQueryClient();
  const [move, setMove] = useState<Move | null>(null);
  const flip = useMutation({
    mutationFn: () =>
      read(
        api.PATCH("/api/v1/wallets/{name}", {
          params: { path: { name: wallet.name } },
          body: { enabled: !wallet.enabled },
        }),
      ),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["wallets"] }),
    onError: failed,
  });
  return (
    <div>
      <Text size="sm" c="dimmed" mb="sm">
        of {wallet.subject}
      </Text>
      {!wallet.enabled && (
        <Alert color="gray" variant="light" mb="sm">
          Switched off: calls are not charged to it.
        </Alert>
      )}
      <SimpleGrid cols={{ base: 1, xs: 3 }}>
        <Stat label="Available" note={overdraftNote(wallet)}>
          <Amount amount={wallet.available} unit={wallet.unit} />
        </Stat>
        <Stat label="Balance" note={wallet.unit === "credits" ? "credits" : "US dollars"}>
          <Amount amount={wallet.balance} unit={wallet.unit} />
        </Stat>
        <Stat
          label="Set aside"
          note={`${amountText(wallet.leased, wallet.unit)} of it with workers`}
        >
          <Amount amount={sum(wallet.held, wallet.leased)} unit={wallet.unit} />
        </Stat>
      </SimpleGrid>
      {isAdmin && (
        <Group gap="xs" mt="sm">
          <Button size="compact-sm" onClick={() => setMove("grant")}>
            Grant
          </Button>
          <Button size="compact-sm" variant="default" onClick={() => setMove("purchase")}>
            Purchase
          </Button>
          <Button size="compact-sm" variant="default" onClick={() => setMove("adjustment")}>
            Adjust
          </Button>
          <Button
            size="compact-sm"
            variant="subtle"
            loading={flip.isPending}
            onClick={() => flip.mutate()}
          >
            {wallet.enabled ? "Switch off" : "Switch on"}
          </Button>
        </Group>
      )}
      {move && <MoveForm wallet={wallet} move={move} onClose={() => setMove(null)} />}
    </div>
  );
}

function overdraftNote(wallet: Wallet): string {
  return Number(wallet.overdraft) > 0
    ? `with ${amountText(wallet.overdraft, wallet.unit)} of overdraft`
    : "without overdraft";
}
