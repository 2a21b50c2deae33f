/** What does the table of providers say where it is too wide? One card for each. */
import { Group, SimpleGrid, Text } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import type { ReactElement, ReactNode } from "react";
import { Money, Provider } from "@/components/Figures";
import { count, duration, percent, words } from "@/lib/format";
import classes from "./Providers.module.css";
import { costOf1k, type Row } from "./rows";
import { Success } from "./Success";

export function ProviderCards({ rows }: { rows: readonly Row[] }): ReactElement {
  return (
    <ul className={classes.cards} aria-label="Who served">
      {rows.map((row) => (
        <li key={row.id}>
          <Group justify="space-between" wrap="nowrap" align="flex-start">
            <Link
              to="/logs"
              search={{ provider: row.provider, category: row.category }}
              className={classes.card}
            >
              <Provider provider={row.provider} bucket={words(row.category)} />
            </Link>
            <Success provider={row} />
          </Group>
          <SimpleGrid cols={2} spacing="xs" verticalSpacing={2} mt={6}>
            <Fact name="Calls">
              {count(row.calls)} ({percent(row.callShare)})
            </Fact>
            <Fact name="USD per 1k calls">
              <Money
                usd={costOf1k(row)}
                reason="some of them have no price"
                estimated={row.estimated > 0}
              />
            </Fact>
            <Fact name="p50, p95">
              {duration(row.latency_ms?.p50)}, {duration(row.latency_ms?.p95)}
            </Fact>
            <Fact name="State">{row.state}</Fact>
          </SimpleGrid>
        </li>
      ))}
    </ul>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }): ReactElement {
  return (
    <div>
      <Text size="xs" c="dimmed">
        {name}
      </Text>
      <Text size="sm" component="div" className="tabular">
        {children}
      </Text>
    </div>
  );
}
