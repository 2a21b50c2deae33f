/** Who should serve a category? By what they really did; a flaky one never looks cheap. */
import { Alert, Badge, Table, Text } from "@mantine/core";
import type { ReactElement } from "react";
import { Hint, Latency, Money, Provider } from "@/components/Figures";
import { Saving } from "@/components/Saving";
import stack from "@/components/Stacked.module.css";
import { Panel } from "@/components/States";
import { count, percent } from "@/lib/format";
import type { Category } from "@/lib/names";
import { providerName } from "@/lib/providers";
import { AskFirst } from "./AskFirst";
import classes from "./Insight.module.css";
import type { Ranked, Recommendations } from "./query";

interface RankingProps {
  found: Recommendations;
  category: Category;
}

export function Ranking({ found, category }: RankingProps): ReactElement {
  return (
    <Panel title={`Who should serve ${category}`}>
      <Alert
        color={found.recommended ? "cyan" : "gray"}
        variant="light"
        mb="sm"
        title={
          found.recommended
            ? `${providerName(found.recommended)} is the cheapest that holds what is asked`
            : "Nobody is recommended"
        }
      >
        {found.recommended
          ? "By cost per answer, over at least 30 calls of which more than 80 % went well."
          : "Each of them misses something; the last column says what."}
      </Alert>
      {found.ranking.length > 0 && (
        <div style={{ overflowX: "auto", position: "relative" }}>
          <Table className={stack.stacked}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Provider</Table.Th>
                <Table.Th ta="right">Calls</Table.Th>
                <Table.Th ta="right">Success</Table.Th>
                <Table.Th ta="right">Cost per answer</Table.Th>
                <Table.Th ta="right">p95</Table.Th>
                <Table.Th ta="right">All of it there</Table.Th>
                <Table.Th>Standing</Table.Th>
                <Table.Th>
                  <span className="visually-hidden">Apply</span>
                </Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {found.ranking.map((one) => (
                <Row
                  key={one.provider}
                  one={one}
                  category={category}
                  isBest={one.provider === found.recommended}
                />
              ))}
            </Table.Tbody>
          </Table>
        </div>
      )}
    </Panel>
  );
}

interface RowProps {
  one: Ranked;
  category: Category;
  isBest: boolean;
}

function Row({ one, category, isBest }: RowProps): ReactElement {
  const interval = one.success_interval;
  return (
    <Table.Tr className={isBest ? classes.best : undefined}>
      <Table.Td data-label="Provider" maw={220}>
        <Provider provider={one.provider} bucket={one.model} />
      </Table.Td>
      <Table.Td data-label="Calls" ta="right" className="tabular">
        {count(one.attempts)}
      </Table.Td>
      <Table.Td data-label="Success" ta="right" className="tabular">
        <Hint
          label={
            interval
              ? `${percent(interval[0])} to ${percent(interval[1])}, with a certainty of 95 %`
              : null
          }
        >
          {percent(one.success_rate, true)}
        </Hint>
      </Table.Td>
      <Table.Td data-label="Cost per answer" ta="right">
        <Money usd={one.cost_per_success_usd} reason="not all of its answers have a price" />
      </Table.Td>
      <Table.Td data-label="p95" ta="right">
        <Latency ms={one.latency_ms_p95} />
      </Table.Td>
      <Table.Td data-label="All of it there" ta="right">
        <Saving usd={one.saving_usd} notes={one.saving_notes} />
      </Table.Td>
      <Table.Td data-label="Standing" maw={240}>
        {one.rank !== null ? (
          <Badge c="var(--mantine-color-text)" color={isBest ? "green" : "gray"}>
            {isBest ? "recommended" : `no. ${one.rank}`}
          </Badge>
        ) : (
          <div>
            {one.why_not.map((why) => (
              <Text key={why} size="xs" c="dimmed">
                {why}
              </Text>
            ))}
          </div>
        )}
      </Table.Td>
      <Table.Td ta="right">
        {one.rank !== null && <AskFirst provider={one.provider} category={category} />}
      </Table.Td>
    </Table.Tr>
  );
}
