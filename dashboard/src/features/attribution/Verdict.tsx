/** What did the rules say, on which words, and what did they disagree about? */
import { Alert, Anchor, Button, Collapse, List, Stack, Table, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { Link } from "@tanstack/react-router";
import type { ReactElement } from "react";
import type { Schemas } from "@/api/client";
import { Provider } from "@/components/Figures";
import { Icon } from "@/components/icons";
import { Name } from "@/components/Name";
import { count, words } from "@/lib/format";
import classes from "./Attribution.module.css";
import { Sure } from "./Sure";

export function Verdict({ found }: { found: Schemas["Explanation"] }): ReactElement {
  return (
    <Stack gap="md">
      <div className={classes.verdict}>
        <Provider provider={found.provider} upstream={found.upstream_provider} />
        <Sure confidence={found.confidence} />
        <Text size="sm">{found.evidence}</Text>
      </div>
      {found.contradictions.length > 0 && (
        <Alert color="gray" variant="light" title="Not all of it agrees">
          <List size="sm">
            {found.contradictions.map((one) => (
              <List.Item key={one}>{one}</List.Item>
            ))}
          </List>
        </Alert>
      )}
      {found.matched.length === 0 ? (
        <Text size="sm" c="dimmed">
          None of {count(found.tried.length)} rules fits.{" "}
          <Anchor
            size="sm"
            renderRoot={(props) => (
              <Link
                {...props}
                to="/attribution"
                search={(before) => ({ ...before, tab: "rules" })}
              />
            )}
          >
            Add a rule
          </Anchor>{" "}
          that names the provider.
        </Text>
      ) : (
        <Matches matched={found.matched} />
      )}
      <Tried rules={found.tried} />
    </Stack>
  );
}

function Tried({ rules }: { rules: string[] }): ReactElement {
  const [open, { toggle }] = useDisclosure(false);
  return (
    <div>
      <Button
        variant="subtle"
        size="compact-sm"
        leftSection={<Icon name={open ? "up" : "expand"} size={14} />}
        aria-expanded={open}
        onClick={toggle}
      >
        {count(rules.length)} rules were tried
      </Button>
      <Collapse expanded={open}>
        <Text size="xs" c="dimmed" mt={4}>
          {rules.join(", ")}
        </Text>
      </Collapse>
    </div>
  );
}

function Matches({ matched }: { matched: Schemas["MatchedRule"][] }): ReactElement {
  return (
    <Table.ScrollContainer minWidth={560}>
      <Table aria-label="Rules that match">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Rule that fits</Table.Th>
            <Table.Th>Reads</Table.Th>
            <Table.Th>On the words</Table.Th>
            <Table.Th>Says</Table.Th>
            <Table.Th>How sure</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {matched.map((one) => (
            <Table.Tr key={one.rule_id} className={one.decided ? classes.decided : undefined}>
              <Table.Td>
                {one.decided ? "✔ " : ""}
                {one.rule_id}
                {one.note && (
                  <Text size="xs" c="dimmed">
                    {one.note}
                  </Text>
                )}
              </Table.Td>
              <Table.Td>{words(one.rank)}</Table.Td>
              <Table.Td maw={200}>
                <Name>{one.words ?? "—"}</Name>
              </Table.Td>
              <Table.Td>
                <Provider provider={one.provider} />
              </Table.Td>
              <Table.Td>
                <Sure confidence={one.confidence} />
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}
