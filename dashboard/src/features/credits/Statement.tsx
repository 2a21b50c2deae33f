/** What has changed a balance, line by line, with what was left after each? */
import { Anchor, Badge, Group, Select, Table, Text } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import type { ReactElement } from "react";
import { api, read, type Schemas } from "@/api/client";
import { Instant } from "@/components/Figures";
import { More } from "@/components/More";
import { Name } from "@/components/Name";
import { Empty, StateOf } from "@/components/States";
import { count, words } from "@/lib/format";
import { Amount, amountText, type Wallet } from "./amount";

type Line = Schemas["TransactionShown"];
const route = getRouteApi("/framed/credits");
const KINDS = ["purchase", "grant", "deduction", "refund", "expiry", "adjustment"] as const;
const PAGE_LINES = 50;

export function Statement({ wallet }: { wallet: Wallet }): ReactElement {
  const { kind } = route.useSearch();
  const navigate = route.useNavigate();
  const query = useInfiniteQuery({
    queryKey: ["wallets", wallet.name, "transactions", kind],
    initialPageParam: null as string | null,
    queryFn: ({ signal, pageParam }) =>
      read(
        api.GET("/api/v1/wallets/{name}/transactions", {
          params: {
            path: { name: wallet.name },
            query: { cursor: pageParam, limit: PAGE_LINES, kind: kind ?? null },
          },
          signal,
        }),
      ),
    getNextPageParam: (page) => page.next_cursor,
  });
  return (
    <section>
      <Group justify="space-between" mb="xs">
        <Text component="h3" fw={600}>
          Statement
        </Text>
        <Select
          size="xs"
          w={160}
          aria-label="Kind of line"
          placeholder="every kind"
          clearable
          clearButtonProps={{ "aria-label": "Clear" }}
          data={KINDS}
          value={kind ?? null}
          onChange={(value) =>
            void navigate({
              to: ".",
              search: (old) => ({ ...old, kind: KINDS.find((one) => one === value) }),
            })
          }
        />
      </Group>
      <StateOf
        query={query}
        isEmpty={({ pages }) => pages.every((page) => page.transactions.length === 0)}
        empty={<Empty says={kind ? `No ${kind} yet.` : "Nothing has changed it yet."} />}
      >
        {({ pages }) => (
          <Table.ScrollContainer minWidth={520}>
            <Table>
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>When</Table.Th>
                  <Table.Th>What</Table.Th>
                  <Table.Th ta="right">Amount</Table.Th>
                  <Table.Th ta="right">Balance</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {pages
                  .flatMap((page) => page.transactions)
                  .map((line) => (
                    <LineRow key={line.number} line={line} wallet={wallet} />
                  ))}
              </Table.Tbody>
            </Table>
          </Table.ScrollContainer>
        )}
      </StateOf>
      <More query={query} label="Older lines" />
    </section>
  );
}

function LineRow({ line, wallet }: { line: Line; wallet: Wallet }): ReactElement {
  return (
    <Table.Tr>
      <Table.Td>
        <Instant iso={line.posted_at} />
        <Text size="xs" c="dimmed">
          no. {count(line.number)}
        </Text>
      </Table.Td>
      <Table.Td maw={260}>
        <Group gap={6} wrap="nowrap">
          <Text size="sm" fw={500}>
            {words(line.kind)}
            {line.phase !== "single" && `, ${words(line.phase)}`}
          </Text>
          {line.overrun && (
            <Badge c="var(--mantine-color-text)" color="red">
              overrun
            </Badge>
          )}
        </Group>
        <Name minor>{detailOf(line)}</Name>
        {line.call_id && (
          <Anchor
            size="xs"
            renderRoot={(props) => (
              <Link {...props} to="/logs" search={{ call: line.call_id ?? undefined }} />
            )}
          >
            the call
          </Anchor>
        )}
      </Table.Td>
      <Table.Td ta="right">
        {Number(line.amount) === 0 && Number(line.held) !== 0 ? (
          <Text size="sm" c="dimmed">
            {amountText(line.held, wallet.unit)} held
          </Text>
        ) : (
          <Amount amount={line.amount} unit={wallet.unit} signed />
        )}
      </Table.Td>
      <Table.Td ta="right">
        <Amount amount={line.balance_after} unit={wallet.unit} />
      </Table.Td>
    </Table.Tr>
  );
}

/** What stands below a line: what it was for, by whom. */
function detailOf(line: Line): string {
  const parts = [
    line.note,
    line.operation && words(line.operation),
    line.model,
    line.tokens !== null && `${count(line.tokens)} tokens`,
    line.images !== null && `${count(line.images)} images`,
    line.about !== null && `of no. ${count(line.about)}`,
    `by ${line.actor}`,
  ];
  return parts.filter(Boolean).join(" · ");
}
