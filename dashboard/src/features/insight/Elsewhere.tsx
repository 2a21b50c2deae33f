/** What would the real usage have cost elsewhere, by the prices in force at the time? */
import { List, Table, Text } from "@mantine/core";
import type { ReactElement } from "react";
import type { Schemas } from "@/api/client";
import { Money, Provider } from "@/components/Figures";
import { Saving } from "@/components/Saving";
import stack from "@/components/Stacked.module.css";
import { Empty, Panel, StateOf } from "@/components/States";
import { count, counted } from "@/lib/format";
import { providerFill, providerName } from "@/lib/providers";
import { useRange } from "@/lib/range";
import classes from "./Insight.module.css";
import { useCategory, useCounterfactual } from "./query";

type One = Schemas["CounterfactualView"];

export function Elsewhere(): ReactElement {
  const category = useCategory();
  const { label } = useRange();
  const query = useCounterfactual(category);
  return (
    <Panel
      title="The same usage, elsewhere"
      aside={
        query.data && (
          <Text size="sm" c="dimmed">
            {counted(query.data.calls, "call")} for {category}, {label}
          </Text>
        )
      }
    >
      <Text size="sm" c="dimmed" mb="sm">
        Each line prices the real usage with another provider's model, day by day. Another model may
        count other tokens, and may not be as good.
      </Text>
      <StateOf
        query={query}
        isEmpty={(found) => found.candidates.length === 0}
        empty={<Empty says={`No calls for ${category} in this time.`} />}
      >
        {(found) => (
          <>
            <Candidates candidates={found.candidates.filter(isPriced)} />
            <Unpriced candidates={found.candidates.filter((one) => !isPriced(one))} />
            {found.calls_without_usage > 0 && (
              <Text size="xs" c="dimmed" mt="xs">
                Left out: {counted(found.calls_without_usage, "call")} of which nobody knows what
                was used.
              </Text>
            )}
          </>
        )}
      </StateOf>
    </Panel>
  );
}

function isPriced(one: One): boolean {
  return one.compared_usd !== null;
}

/** Those that nothing can be said of, and why. */
function Unpriced({ candidates }: { candidates: One[] }): ReactElement | null {
  if (candidates.length === 0) return null;
  return (
    <details>
      <summary>
        <Text component="span" size="sm">
          {count(candidates.length)} more could not be priced
        </Text>
      </summary>
      <List size="sm" mt={4}>
        {candidates.map((one) => (
          <List.Item key={`${one.provider}/${one.model}`} style={{ overflowWrap: "anywhere" }}>
            {providerName(one.provider)} {one.model}: {one.reasons[0]}
          </List.Item>
        ))}
      </List>
    </details>
  );
}

function Candidates({ candidates }: { candidates: One[] }): ReactElement {
  const most = Math.max(
    ...candidates.flatMap((one) => [Number(one.actual_usd), Number(one.compared_usd)]),
    1e-9,
  );
  return (
    <div style={{ overflowX: "auto", position: "relative" }}>
      <Table className={stack.stacked}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>With</Table.Th>
            <Table.Th ta="right">Would have cost</Table.Th>
            <Table.Th ta="right">Really cost</Table.Th>
            <Table.Th>Side by side</Table.Th>
            <Table.Th ta="right">Difference</Table.Th>
            <Table.Th ta="right">Calls compared</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {candidates.map((one) => (
            <Row key={`${one.provider}/${one.model}`} one={one} most={most} />
          ))}
        </Table.Tbody>
      </Table>
    </div>
  );
}

function Row({ one, most }: { one: One; most: number }): ReactElement {
  const width = (usd: string | null): string => `${(Number(usd ?? 0) / most) * 100}%`;
  return (
    <Table.Tr>
      <Table.Td data-label="With" maw={260}>
        <Provider provider={one.provider} bucket={one.model} />
      </Table.Td>
      <Table.Td data-label="Would have cost" ta="right">
        <Money usd={one.compared_usd} reason={one.reasons[0]} />
      </Table.Td>
      <Table.Td data-label="Really cost" ta="right">
        <Money usd={one.actual_usd} reason={one.reasons[0]} />
      </Table.Td>
      <Table.Td data-label="Side by side">
        <div className={classes.pair} aria-hidden="true">
          <span
            style={{ width: width(one.compared_usd), background: providerFill(one.provider) }}
          />
          <span className={classes.actual} style={{ width: width(one.actual_usd) }} />
        </div>
      </Table.Td>
      <Table.Td data-label="Difference" ta="right">
        <Saving usd={one.saving_usd} notes={one.approximations} />
      </Table.Td>
      <Table.Td data-label="Calls compared" ta="right" className="tabular">
        {count(one.calls_compared)}
      </Table.Td>
    </Table.Tr>
  );
}
