/** What was sent to a webhook, how often was it tried, and what came back? */
import { Badge, Table, Text } from "@mantine/core";
import type { ReactElement } from "react";
import type { Schemas } from "@/api/client";
import { Instant } from "@/components/Figures";
import { More } from "@/components/More";
import { Lines, StateOf } from "@/components/States";
import { ago, counted } from "@/lib/format";
import { useDeliveries } from "./query";

type Delivery = Schemas["DeliveryShown"];
const COLORS: Readonly<Record<string, string>> = { delivered: "green", failed: "red" };

export function Deliveries({ webhook }: { webhook: string }): ReactElement {
  const deliveries = useDeliveries(webhook);
  return (
    <>
      <StateOf
        query={deliveries}
        loading={<Lines count={2} />}
        isEmpty={({ pages }) => pages.every((page) => page.deliveries.length === 0)}
        empty={
          <Text size="sm" c="dimmed">
            Nothing was sent to it yet.
          </Text>
        }
      >
        {({ pages }) => (
          <Table aria-label={`Deliveries to ${webhook}`}>
            <Table.Tbody>
              {pages
                .flatMap((page) => page.deliveries)
                .map((one) => (
                  <Row key={one.delivery_id} delivery={one} />
                ))}
            </Table.Tbody>
          </Table>
        )}
      </StateOf>
      <More query={deliveries} label="Older" />
    </>
  );
}

function Row({ delivery }: { delivery: Delivery }): ReactElement {
  const { state, tries, next_try_at } = delivery;
  const last = tries[tries.length - 1];
  const answer = last?.status ? `answered ${last.status}` : last?.error;
  return (
    <Table.Tr>
      <Table.Td>
        <Instant iso={delivery.created_at} />
      </Table.Td>
      <Table.Td>
        <Badge c="var(--mantine-color-text)" color={COLORS[state] ?? "gray"}>
          {state}
        </Badge>
      </Table.Td>
      <Table.Td>
        <Text size="sm">
          {tries.length === 0 ? "not tried yet" : `${counted(tries.length, "time")} tried`}
          {answer && `: ${answer}`}
          {next_try_at && `; again ${ago(next_try_at)}`}
        </Text>
      </Table.Td>
    </Table.Tr>
  );
}
