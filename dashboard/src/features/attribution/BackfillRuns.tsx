/** Which runs were there, how far have they come, and how is one taken back? */
import { Alert, Badge, Button, Group, Loader, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { type ReactElement, useState } from "react";
import { api, read, type Schemas } from "@/api/client";
import { Confirm } from "@/components/Confirm";
import { Instant, Provider } from "@/components/Figures";
import { Empty, Panel, StateOf } from "@/components/States";
import { count, counted, day } from "@/lib/format";
import { Sure } from "./Sure";
import { Working } from "./Working";
import { goOn, RUNS, type Run, takeBack, useWork } from "./work";

const route = getRouteApi("/framed/attribution");
const WATCH_MS = 2000;

export function BackfillRuns(): ReactElement {
  const { run: open } = route.useSearch();
  const navigate = route.useNavigate();
  const query = useQuery({
    queryKey: RUNS,
    queryFn: ({ signal }) => read(api.GET("/api/v1/attribution/backfill", { signal })),
    refetchInterval: ({ state }) =>
      state.data?.runs.some((run) => run.state === "running") ? WATCH_MS : false,
  });
  return (
    <Panel title="Runs">
      <StateOf
        query={query}
        isEmpty={(page) => page.runs.length === 0}
        empty={<Empty says="Nothing was tried again yet." />}
      >
        {(page) => (
          <Table.ScrollContainer minWidth={640}>
            <Table highlightOnHover>
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>Started</Table.Th>
                  <Table.Th>Of</Table.Th>
                  <Table.Th>State</Table.Th>
                  <Table.Th ta="right">Looked at</Table.Th>
                  <Table.Th ta="right">Changed</Table.Th>
                  <Table.Th ta="right">Other provider</Table.Th>
                  <Table.Th>
                    <span className="visually-hidden">Open</span>
                  </Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {page.runs.map((run) => (
                  <RunRow
                    key={run.run_id}
                    run={run}
                    reverted={page.runs.some((one) => one.reverts_run_id === run.run_id)}
                    isOpen={run.run_id === open}
                    toggle={() =>
                      void navigate({
                        to: ".",
                        search: (old) => ({
                          ...old,
                          run: run.run_id === open ? undefined : run.run_id,
                        }),
                      })
                    }
                  />
                ))}
              </Table.Tbody>
            </Table>
          </Table.ScrollContainer>
        )}
      </StateOf>
    </Panel>
  );
}

interface RunRowProps {
  run: Run;
  reverted: boolean;
  isOpen: boolean;
  toggle: () => void;
}

function RunRow({ run, reverted, isOpen, toggle }: RunRowProps): ReactElement {
  return (
    <>
      <Table.Tr>
        <Table.Td>
          <Instant iso={run.started_at} />
          <Text size="xs" c="dimmed">
            {run.actor}
          </Text>
        </Table.Td>
        <Table.Td>{spanOf(run)}</Table.Td>
        <Table.Td>
          <Group gap={6} wrap="nowrap">
            {run.state === "running" && <Loader size={12} />}
            <Badge c="var(--mantine-color-text)" color={run.state === "running" ? "cyan" : "gray"}>
              {run.reverts_run_id ? `takes one back, ${run.state}` : run.state}
            </Badge>
            {reverted && (
              <Badge c="var(--mantine-color-text)" color="gray">
                taken back
              </Badge>
            )}
          </Group>
        </Table.Td>
        <Table.Td ta="right" className="tabular">
          {count(run.calls)}
        </Table.Td>
        <Table.Td ta="right" className="tabular">
          {count(run.changed)}
        </Table.Td>
        <Table.Td ta="right" className="tabular">
          {count(run.reassigned)}
        </Table.Td>
        <Table.Td ta="right">
          <Button variant="subtle" size="compact-sm" aria-expanded={isOpen} onClick={toggle}>
            {isOpen ? "Close" : "What changed"}
          </Button>
        </Table.Td>
      </Table.Tr>
      {isOpen && (
        <Table.Tr>
          <Table.Td colSpan={7}>
            <Moves run={run} />
            <Doing run={run} canRevert={!reverted && !run.reverts_run_id && run.changed > 0} />
          </Table.Td>
        </Table.Tr>
      )}
    </>
  );
}

function spanOf(run: Run): string {
  if (run.reverts_run_id) return "what that run changed";
  if (!run.since && !run.until) return "all calls";
  return `${run.since ? day(run.since) : "the first"} – ${run.until ? day(run.until) : "now"}`;
}

function Moves({ run }: { run: Run }): ReactElement {
  const query = useQuery({
    queryKey: [...RUNS, run.run_id, run.calls],
    queryFn: ({ signal }) =>
      read(
        api.GET("/api/v1/attribution/backfill/{run_id}", {
          params: { path: { run_id: run.run_id } },
          signal,
        }),
      ),
  });
  return (
    <StateOf
      query={query}
      isEmpty={(found) => found.moves.length === 0}
      empty={<Alert variant="light">It has changed nothing.</Alert>}
    >
      {(found) => (
        <>
          <Table aria-label="What the run changed">
            <Table.Tbody>
              {found.moves.map((move) => (
                <Table.Tr key={`${JSON.stringify(move.old)} ${JSON.stringify(move.new)}`}>
                  <Table.Td ta="right" className="tabular">
                    {count(move.calls)}
                  </Table.Td>
                  <Table.Td>
                    <Side of={move.old} />
                  </Table.Td>
                  <Table.Td aria-label="becomes">→</Table.Td>
                  <Table.Td>
                    <Side of={move.new} />
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </>
      )}
    </StateOf>
  );
}

/** Go on with a run that was interrupted, or take one back that has ended. */
function Doing({ run, canRevert }: { run: Run; canRevert: boolean }): ReactElement {
  const work = useWork();
  const [isAsking, setIsAsking] = useState(false);
  return (
    <>
      {run.state === "running" && !work.isPending && (
        <Button mt="sm" size="compact-sm" onClick={() => work.mutate(goOn(run.run_id))}>
          Go on with it
        </Button>
      )}
      {run.state !== "running" && canRevert && !work.isPending && (
        <Button mt="sm" size="compact-sm" variant="default" onClick={() => setIsAsking(true)}>
          Take this run back
        </Button>
      )}
      <Working work={work} total={run.state === "running" ? undefined : run.changed} />
      <Confirm
        opened={isAsking}
        title="Take this run back?"
        action="Take it back"
        onClose={() => setIsAsking(false)}
        onConfirm={async () => work.mutate(takeBack(run.run_id))}
      >
        <Text size="sm">
          {counted(run.changed, "call")} will be as before, except where a later run has changed
          them again. That is a run of its own, and can be taken back too.
        </Text>
      </Confirm>
    </>
  );
}

function Side({ of }: { of: Schemas["Attributed"] }): ReactElement {
  return (
    <Group gap="xs" wrap="nowrap">
      <Provider provider={of.provider} upstream={of.upstream_provider} />
      <Sure confidence={of.confidence} />
      <Text size="xs" c="dimmed">
        {of.rule_id}
      </Text>
    </Group>
  );
}
