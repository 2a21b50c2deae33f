/** What a backfill would come to: from what to what, how often, and some of the calls. */
import { Alert, Anchor, SimpleGrid, Table, Text } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import type { ReactElement } from "react";
import type { Schemas } from "@/api/client";
import { Stat } from "@/components/Figures";
import { count, percent } from "@/lib/format";
import classes from "./Attribution.module.css";

const EXAMPLES_MAX = 3;
const ID_SHOWN = 8;

export function Preview({ found }: { found: Schemas["BackfillPreview"] }): ReactElement {
  return (
    <div aria-live="polite">
      <SimpleGrid cols={{ base: 2, md: 4 }} my="md">
        <Stat
          label="Looked at"
          note={found.complete ? "all of them" : `of about ${count(found.total)}, the oldest first`}
        >
          {count(found.calls)}
        </Stat>
        <Stat label="Would change" note={share(found.changed, found.calls)}>
          {count(found.changed)}
        </Stat>
        <Stat label="To another provider" note="of those that change">
          {count(found.reassigned)}
        </Stat>
        <Stat label="To be priced again" note="priced as another provider's">
          {count(found.marked)}
        </Stat>
      </SimpleGrid>
      {found.moves.length === 0 ? (
        <Alert color="gray" variant="light" title="Nothing would change">
          By the rules of today (version {found.rules_version}) each of these calls says what it
          says now.
        </Alert>
      ) : (
        <Moves moves={found.moves} />
      )}
    </div>
  );
}

function share(part: number, whole: number): string {
  return whole ? `${percent(part / whole)} of them` : "none";
}

function Moves({ moves }: { moves: Schemas["PreviewMove"][] }): ReactElement {
  return (
    <Table.ScrollContainer minWidth={520}>
      <Table aria-label="What would change">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>From what to what</Table.Th>
            <Table.Th ta="right">Calls</Table.Th>
            <Table.Th>Some of them</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {moves.map((move) => (
            <Table.Tr key={move.move}>
              <Table.Td>
                <Text size="sm">{move.move}</Text>
              </Table.Td>
              <Table.Td ta="right" className="tabular">
                {count(move.calls)}
              </Table.Td>
              <Table.Td>
                <span className={classes.examples}>
                  {move.examples.slice(0, EXAMPLES_MAX).map((id) => (
                    <Anchor
                      key={id}
                      size="sm"
                      ff="monospace"
                      renderRoot={(props) => <Link {...props} to="/logs" search={{ call: id }} />}
                    >
                      …{id.slice(-ID_SHOWN)}
                    </Anchor>
                  ))}
                </span>
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}
