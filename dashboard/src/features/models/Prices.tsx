/** What does a model cost, since when, and what was it before? */
import { Badge, Button, Group, Stack, Table, Text } from "@mantine/core";
import { type ReactElement, useState } from "react";
import { Instant } from "@/components/Figures";
import { Icon } from "@/components/icons";
import { Empty, StateOf } from "@/components/States";
import { rate } from "@/lib/format";
import classes from "./Models.module.css";
import { colorOf, PriceChart } from "./PriceChart";
import { PriceForm, type Wanted } from "./PriceForm";
import { bySubject, counts, inForce, isAlways, perText, subjectOf, usePrices } from "./prices";
import type { Model, Price } from "./queries";

const COLORS: Readonly<Record<string, string>> = {
  active: "green",
  proposed: "yellow",
  disputed: "yellow",
  rejected: "red",
  withdrawn: "gray",
  superseded: "gray",
};

export function Prices({ model, canEdit }: { model: Model; canEdit: boolean }): ReactElement {
  const prices = usePrices(model.provider, model.model_name);
  const [wanted, setWanted] = useState<Wanted | null>(null);
  const { provider, model_name: name, model_type: type } = model;
  const ask = (before?: Price): void => setWanted({ provider, model: name, type, before });
  const add = canEdit && (
    <Button variant="default" leftSection={<Icon name="plus" size={14} />} onClick={() => ask()}>
      Add a price
    </Button>
  );
  return (
    <>
      <StateOf
        query={prices}
        isEmpty={(found) => found.length === 0}
        empty={<Empty says="No price has been stated for this very name.">{add}</Empty>}
      >
        {(found) => (
          <Stack gap="md">
            <InForce versions={found} onChange={canEdit ? ask : undefined} />
            {add && <div>{add}</div>}
            <PriceChart subjects={bySubject(found.filter(counts))} />
            <Versions versions={found} />
          </Stack>
        )}
      </StateOf>
      <PriceForm wanted={wanted} onClose={() => setWanted(null)} />
    </>
  );
}

function InForce(props: {
  versions: readonly Price[];
  onChange: ((price: Price) => void) | undefined;
}): ReactElement {
  const subjects = [...bySubject(props.versions.filter(counts))];
  const now = Date.now();
  return (
    <div className={classes.wide}>
      <Table aria-label="Prices in force">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>In force</Table.Th>
            <Table.Th className={classes.number}>Price (USD)</Table.Th>
            <Table.Th>Since</Table.Th>
            {props.onChange && (
              <Table.Th>
                <span className="visually-hidden">Change</span>
              </Table.Th>
            )}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {subjects.map(([subject, versions], place) => {
            const price = inForce(versions, now);
            return (
              <Table.Tr key={subject}>
                <Table.Td>
                  <Group gap={8} wrap="nowrap">
                    <svg width="14" height="4" aria-hidden="true" style={{ flex: "none" }}>
                      <rect width="14" height="4" rx="2" fill={colorOf(place)} />
                    </svg>
                    {subject}
                  </Group>
                </Table.Td>
                <Table.Td className={classes.number}>
                  {rate(price?.rate_usd)}{" "}
                  {price && (
                    <Text span size="xs" c="dimmed">
                      {perText(price)}
                    </Text>
                  )}
                </Table.Td>
                <Table.Td>{price ? <Since price={price} /> : "not yet"}</Table.Td>
                {props.onChange && (
                  <Table.Td className={classes.number}>
                    <Button
                      size="compact-sm"
                      variant="default"
                      aria-label={`Change the price of ${subject}`}
                      onClick={() => props.onChange?.(price ?? (versions[0] as Price))}
                    >
                      Change
                    </Button>
                  </Table.Td>
                )}
              </Table.Tr>
            );
          })}
        </Table.Tbody>
      </Table>
    </div>
  );
}

function Since({ price }: { price: Price }): ReactElement {
  return isAlways(price) ? <span>always</span> : <Instant iso={price.valid_from} />;
}

function Versions({ versions }: { versions: readonly Price[] }): ReactElement {
  const newest = [...versions].sort((a, b) => b.recorded_at.localeCompare(a.recorded_at));
  return (
    <div className={classes.wide}>
      <Table aria-label="All versions" fz="sm">
        <Table.Thead>
          <Table.Tr>
            <Table.Th style={{ whiteSpace: "nowrap" }}>All versions</Table.Th>
            <Table.Th className={classes.number}>Price (USD)</Table.Th>
            <Table.Th>Holds from</Table.Th>
            <Table.Th>Stated by</Table.Th>
            <Table.Th>State</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {newest.map((one) => (
            <Table.Tr key={one.price_version_id}>
              <Table.Td>{subjectOf(one)}</Table.Td>
              <Table.Td className={classes.number}>{rate(one.rate_usd)}</Table.Td>
              <Table.Td>
                <Since price={one} />
              </Table.Td>
              <Table.Td>
                {one.recorded_by ?? one.source}
                <Text size="xs" c="dimmed">
                  {[one.source, one.reference, one.comment].filter(Boolean).join(" · ")}
                </Text>
              </Table.Td>
              <Table.Td>
                <Badge className={classes.badge} color={COLORS[one.status] ?? "gray"}>
                  {one.status}
                </Badge>
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </div>
  );
}
