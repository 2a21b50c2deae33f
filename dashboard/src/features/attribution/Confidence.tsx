/** How sure is it who served? Unknown and weak ones first, each with the way to mend it. */
import { Alert, Anchor, Group, Stack, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import type { ReactElement } from "react";
import { api, read, type Schemas } from "@/api/client";
import { Provider } from "@/components/Figures";
import { Name } from "@/components/Name";
import stack from "@/components/Stacked.module.css";
import { Empty, Panel, StateOf } from "@/components/States";
import { count, percent } from "@/lib/format";
import { useProject, useRange } from "@/lib/range";
import classes from "./Attribution.module.css";
import { lookOf, markOf, Sure, SureMark } from "./Sure";

type View = Schemas["ConfidenceView"];
/** We carried it ourselves, and nobody answered: no rule can say more. */
const ASKED = "endpoint-asked";
const route = getRouteApi("/framed/attribution");

export function Confidence(): ReactElement {
  const range = useRange();
  const project = useProject();
  const query = useQuery({
    queryKey: ["attribution", "confidence", range.from, range.to, project],
    queryFn: ({ signal }) =>
      read(
        api.GET("/api/v1/attribution/confidence", {
          params: {
            query: {
              from: range.from,
              to: range.to ?? null,
              ...(project && { project: [project] }),
            },
          },
          signal,
        }),
      ),
  });
  return (
    <StateOf
      query={query}
      isEmpty={(view) => view.calls === 0}
      empty={
        <Empty says={`No calls in the ${range.label}.`}>
          <Text size="sm" c="dimmed">
            Once there are some, this says how sure it is who served them.
          </Text>
        </Empty>
      }
    >
      {(view) => (
        <Stack gap="md">
          <Shares view={view} label={range.label} />
          <Doubted view={view} />
        </Stack>
      )}
    </StateOf>
  );
}

function Shares({ view, label }: { view: View; label: string }): ReactElement {
  return (
    <Panel
      title="How sure are we who served?"
      aside={
        <Text size="sm" c="dimmed">
          {view.is_complete ? "" : "the newest "}
          {count(view.calls)} calls, {label}
        </Text>
      }
    >
      <div className={classes.bar} aria-hidden="true">
        {view.shares
          .filter((one) => one.calls > 0)
          .map((one) => (
            <span
              key={one.confidence}
              className={markOf(one.confidence)}
              style={{ flexGrow: one.calls, flexBasis: 0 }}
            />
          ))}
      </div>
      <ul className={classes.degrees}>
        {view.shares.map((one) => (
          <li key={one.confidence}>
            <Group gap={6} wrap="nowrap">
              <SureMark confidence={one.confidence} />
              <Text size="sm" fw={600}>
                {lookOf(one.confidence).label}
              </Text>
            </Group>
            <Text fz={20} fw={600} className="tabular">
              {percent(one.share)}
            </Text>
            <Text size="xs" c="dimmed">
              {count(one.calls)} calls
            </Text>
            <Text size="xs" c="dimmed">
              {lookOf(one.confidence).why}
            </Text>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function Doubted({ view }: { view: View }): ReactElement {
  return (
    <Panel title="What is not sure">
      {view.doubted.length === 0 ? (
        <Alert color="gray" variant="light" title="Nothing is in doubt">
          Of every call it is certain who served it.
        </Alert>
      ) : (
        <div style={{ overflowX: "auto", position: "relative" }}>
          <Table className={stack.stacked}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>How sure</Table.Th>
                <Table.Th>Bucket, model</Table.Th>
                <Table.Th>Said to be</Table.Th>
                <Table.Th>By rule</Table.Th>
                <Table.Th ta="right">Calls</Table.Th>
                <Table.Th>
                  <span className="visually-hidden">Next step</span>
                </Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {view.doubted.map((one) => (
                <DoubtedRow
                  key={`${one.confidence} ${one.rule_id} ${one.provider} ${one.bucket} ${one.model}`}
                  one={one}
                />
              ))}
            </Table.Tbody>
          </Table>
        </div>
      )}
      {view.doubted_more > 0 && (
        <Text size="sm" c="dimmed" mt="xs">
          and {count(view.doubted_more)} calls more
        </Text>
      )}
    </Panel>
  );
}

function DoubtedRow({ one }: { one: Schemas["DoubtedCalls"] }): ReactElement {
  const { range, from, to, project } = route.useSearch();
  return (
    <Table.Tr>
      <Table.Td data-label="How sure">
        <Sure confidence={one.confidence} />
      </Table.Td>
      <Table.Td data-label="Bucket, model">
        <div style={{ maxWidth: 260 }}>
          <Name strong>{one.model}</Name>
          <Name minor>{one.bucket}</Name>
        </div>
      </Table.Td>
      <Table.Td data-label="Said to be">
        <Provider provider={one.provider} />
      </Table.Td>
      <Table.Td data-label="By rule">
        {one.rule_id === "none" ? (
          <Text size="sm" c="dimmed">
            no rule fits
          </Text>
        ) : (
          <Text size="sm">{one.rule_id}</Text>
        )}
      </Table.Td>
      <Table.Td data-label="Calls" ta="right" className="tabular">
        <Anchor
          size="sm"
          renderRoot={(props) => (
            <Link
              {...props}
              to="/logs"
              search={{ range, from, to, project, bucket: one.bucket, model: one.model }}
            />
          )}
        >
          {count(one.calls)}
        </Anchor>
      </Table.Td>
      <Table.Td ta="right">
        {one.rule_id !== ASKED && (
          <Anchor
            size="sm"
            renderRoot={(props) => (
              <Link
                {...props}
                to="/attribution"
                search={{
                  range,
                  from,
                  to,
                  project,
                  tab: "tester",
                  bucket: one.bucket,
                  model: one.model,
                }}
              />
            )}
          >
            Test it
          </Anchor>
        )}
      </Table.Td>
    </Table.Tr>
  );
}
