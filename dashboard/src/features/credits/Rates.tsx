/** What does an operation take in credits? */
import { ActionIcon, Button, Group, Table, Text } from "@mantine/core";
import { modals } from "@mantine/modals";
import { useInfiniteQuery, useMutation, useQueryClient } from "@tanstack/react-query";
import { type ReactElement, useState } from "react";
import { api, read, type Schemas } from "@/api/client";
import { useIsAdmin } from "@/api/session";
import { Money } from "@/components/Figures";
import { Icon } from "@/components/icons";
import { More } from "@/components/More";
import { Name } from "@/components/Name";
import { Empty, Panel, StateOf } from "@/components/States";
import { failedAs } from "@/components/toasts";
import { count, credits, words } from "@/lib/format";
import { RateForm } from "./RateForm";

export type Rate = Schemas["RatePage"]["rates"][number];

export function Rates(): ReactElement {
  const isAdmin = useIsAdmin();
  const [edited, setEdited] = useState<Rate | "new" | null>(null);
  const query = useInfiniteQuery({
    queryKey: ["credit-rates"],
    initialPageParam: null as string | null,
    queryFn: ({ signal, pageParam }) =>
      read(api.GET("/api/v1/credit-rates", { params: { query: { cursor: pageParam } }, signal })),
    getNextPageParam: (page) => page.next_cursor,
  });
  const add = (
    <Button
      size="compact-sm"
      leftSection={<Icon name="plus" size={14} />}
      onClick={() => setEdited("new")}
    >
      Add a rate
    </Button>
  );
  return (
    <Panel title="Credit rates" aside={isAdmin && add}>
      <StateOf
        query={query}
        isEmpty={({ pages }) => pages.every((page) => page.rates.length === 0)}
        empty={
          <Empty says="No rate is set: what a call takes in credits is not known.">
            {isAdmin && add}
          </Empty>
        }
      >
        {({ pages }) => <RateTable rates={pages.flatMap((page) => page.rates)} edit={setEdited} />}
      </StateOf>
      <More query={query} />
      {edited && (
        <RateForm rate={edited === "new" ? null : edited} onClose={() => setEdited(null)} />
      )}
    </Panel>
  );
}

function RateTable({ rates, edit }: { rates: Rate[]; edit: (rate: Rate) => void }): ReactElement {
  return (
    <Table.ScrollContainer minWidth={560}>
      <Table>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Operation</Table.Th>
            <Table.Th>Takes</Table.Th>
            <Table.Th ta="right">Price of a credit</Table.Th>
            <Table.Th>
              <span className="visually-hidden">Change</span>
            </Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rates.map((rate) => (
            <Table.Tr key={`${rate.operation} ${rate.model}`}>
              <Table.Td maw={260}>
                <Text size="sm" fw={500}>
                  {words(rate.operation)}
                </Text>
                <Name minor>{rate.model || "every model without its own rate"}</Name>
              </Table.Td>
              <Table.Td>{takes(rate)}</Table.Td>
              <Table.Td ta="right">
                <Money usd={rate.price_per_credit_usd} reason="no price is set" />
              </Table.Td>
              <Table.Td>
                <Change rate={rate} edit={edit} />
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

function takes(rate: Rate): string {
  if (rate.tokens_per_credit !== null) {
    const least = Number(rate.min_credits) > 0 ? `, at least ${credits(rate.min_credits)}` : "";
    return `1 credit per ${count(rate.tokens_per_credit)} tokens${least}`;
  }
  if (rate.credits_per_image !== null) return `${credits(rate.credits_per_image)} per image`;
  return `${credits(rate.credits_per_call)} per call`;
}

function Change({ rate, edit }: { rate: Rate; edit: (rate: Rate) => void }): ReactElement | null {
  const queries = useQueryClient();
  const isAdmin = useIsAdmin();
  const { operation, model } = rate;
  const remove = useMutation({
    mutationFn: () =>
      read(api.DELETE("/api/v1/credit-rates", { params: { query: { operation, model } } })),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["credit-rates"] }),
    onError: failedAs("Not removed"),
  });
  if (!isAdmin) return null;
  const name = model ? `${words(operation)} of ${model}` : words(operation);
  const ask = (): void => {
    modals.openConfirmModal({
      title: `Remove the rate of ${name}?`,
      children: <Text size="sm">Calls of the past keep what they took.</Text>,
      labels: { confirm: "Remove", cancel: "Keep it" },
      confirmProps: { color: "red" },
      onConfirm: () => remove.mutate(),
    });
  };
  return (
    <Group gap={4} justify="flex-end" wrap="nowrap">
      <ActionIcon aria-label={`Edit the rate of ${name}`} onClick={() => edit(rate)}>
        <Icon name="edit" />
      </ActionIcon>
      <ActionIcon aria-label={`Remove the rate of ${name}`} onClick={ask}>
        <Icon name="trash" />
      </ActionIcon>
    </Group>
  );
}
