/** What was a wallet given, what is left of each, and until when? */
import { Badge, Group, Progress, Stack, Text } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import type { ReactElement } from "react";
import { api, read, type Schemas } from "@/api/client";
import { Hint } from "@/components/Figures";
import { More } from "@/components/More";
import { Empty, StateOf } from "@/components/States";
import { ago, day, utc } from "@/lib/format";
import { amountText, type Wallet } from "./amount";

type Grant = Schemas["GrantShown"];

export function Grants({ wallet }: { wallet: Wallet }): ReactElement {
  const query = useInfiniteQuery({
    queryKey: ["wallets", wallet.name, "grants"],
    initialPageParam: null as string | null,
    queryFn: ({ signal, pageParam }) =>
      read(
        api.GET("/api/v1/wallets/{name}/grants", {
          params: { path: { name: wallet.name }, query: { cursor: pageParam } },
          signal,
        }),
      ),
    getNextPageParam: (page) => page.next_cursor,
  });
  return (
    <section>
      <Text component="h3" fw={600} mb="xs">
        Grants
      </Text>
      <StateOf
        query={query}
        isEmpty={({ pages }) => pages.every((page) => page.grants.length === 0)}
        empty={<Empty says="Nothing was put into it yet." />}
      >
        {({ pages }) => (
          <Stack gap="sm">
            {pages
              .flatMap((page) => page.grants)
              .map((grant) => (
                <OneGrant key={grant.number} grant={grant} wallet={wallet} />
              ))}
          </Stack>
        )}
      </StateOf>
      <More query={query} />
    </section>
  );
}

function OneGrant({ grant, wallet }: { grant: Grant; wallet: Wallet }): ReactElement {
  const share = Number(grant.amount) > 0 ? Number(grant.remaining) / Number(grant.amount) : 0;
  return (
    <div>
      <Group justify="space-between" gap="xs" wrap="nowrap">
        <Group gap={6}>
          <Badge c="var(--mantine-color-text)" color={grant.expired ? "gray" : "cyan"}>
            {grant.kind}
          </Badge>
          <Text size="sm" className="tabular">
            {amountText(grant.remaining, wallet.unit)} of {amountText(grant.amount, wallet.unit)}
          </Text>
        </Group>
        <Text size="xs" c="dimmed" ta="right">
          <Hint label={utc(grant.expires_at)}>{untilText(grant)}</Hint>
        </Text>
      </Group>
      <Progress
        mt={4}
        size={6}
        value={share * 100}
        color={grant.expired ? "gray" : undefined}
        aria-label={`Left of grant ${grant.number}`}
      />
    </div>
  );
}

function untilText(grant: Grant): string {
  if (!grant.expires_at) return "never expires";
  const when = `${day(grant.expires_at)}, ${ago(grant.expires_at)}`;
  return grant.expired ? `expired ${when}` : `expires ${when}`;
}
