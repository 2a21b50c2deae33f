/** Which experiments are there, and what has each found? */
import { Anchor, Badge, Button, Stack, Table, Text } from "@mantine/core";
import { getRouteApi, Link } from "@tanstack/react-router";
import { type ReactElement, useState } from "react";
import { useIsAdmin } from "@/api/session";
import { Hint } from "@/components/Figures";
import { Icon } from "@/components/icons";
import { Name } from "@/components/Name";
import { Empty, Panel, StateOf } from "@/components/States";
import { ago, count, utc } from "@/lib/format";
import { ExperimentForm } from "./ExperimentForm";
import { ExperimentResult } from "./ExperimentResult";
import { type Experiment, stateWords, useExperiments, useResult } from "./experiments";
import classes from "./Insight.module.css";

const route = getRouteApi("/framed/insight");
/** So many are listed at once; each asks for its figures. */
const SHOWN_MAX = 20;

export function Experiments(): ReactElement {
  const isAdmin = useIsAdmin();
  const { experiment: chosen } = route.useSearch();
  const query = useExperiments();
  const [isNew, setIsNew] = useState(false);
  const add = isAdmin && (
    <Button
      size="compact-sm"
      leftSection={<Icon name="plus" size={14} />}
      onClick={() => setIsNew(true)}
    >
      New experiment
    </Button>
  );
  const found = query.data?.experiments ?? [];
  const shown = found.find((one) => one.name === chosen) ?? found[0];
  return (
    <Stack gap="md">
      <Panel title="Experiments" aside={add}>
        <Text size="sm" c="dimmed" mb="sm">
          Candidates of a route, compared on real calls: each user or key always gets the same one.
        </Text>
        <StateOf
          query={query}
          isEmpty={({ experiments }) => experiments.length === 0}
          empty={<Empty says="No experiment was ever started.">{add}</Empty>}
        >
          {({ experiments }) => <List experiments={experiments} shown={shown?.name} />}
        </StateOf>
      </Panel>
      {shown && <ExperimentResult key={shown.name} experiment={shown} />}
      {isNew && <ExperimentForm running={found} onClose={() => setIsNew(false)} />}
    </Stack>
  );
}

interface ListProps {
  experiments: Experiment[];
  shown: string | undefined;
}

function List({ experiments, shown }: ListProps): ReactElement {
  const isAdmin = useIsAdmin();
  const [isWhole, setIsWhole] = useState(false);
  const listed = isWhole ? experiments : experiments.slice(0, SHOWN_MAX);
  return (
    <>
      <Table.ScrollContainer minWidth={820}>
        <Table>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Experiment</Table.Th>
              <Table.Th>State</Table.Th>
              <Table.Th>Route</Table.Th>
              <Table.Th>Arms and their shares</Table.Th>
              <Table.Th>The same for a</Table.Th>
              <Table.Th>Started</Table.Th>
              {isAdmin && <Table.Th ta="right">Calls</Table.Th>}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {listed.map((one) => (
              <Row key={one.name} experiment={one} isShown={one.name === shown} />
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      {listed.length < experiments.length && (
        <Button mt="sm" variant="default" onClick={() => setIsWhole(true)}>
          Show all {count(experiments.length)}
        </Button>
      )}
    </>
  );
}

function Row({ experiment, isShown }: { experiment: Experiment; isShown: boolean }): ReactElement {
  const isAdmin = useIsAdmin();
  return (
    <Table.Tr className={isShown ? classes.shown : undefined}>
      <Table.Td maw={200}>
        <Anchor
          size="sm"
          fw={600}
          aria-current={isShown || undefined}
          style={{ overflowWrap: "anywhere" }}
          renderRoot={(props) => (
            <Link
              {...props}
              to="/insight"
              search={(before) => ({ ...before, experiment: experiment.name })}
            />
          )}
        >
          {experiment.name}
        </Anchor>
      </Table.Td>
      <Table.Td>
        <StateBadge experiment={experiment} />
      </Table.Td>
      <Table.Td maw={200}>
        <Name>{experiment.model}</Name>
        <Name minor>{experiment.category}</Name>
      </Table.Td>
      <Table.Td maw={260}>
        <Name>{armWords(experiment)}</Name>
      </Table.Td>
      <Table.Td>{experiment.subject}</Table.Td>
      <Table.Td style={{ whiteSpace: "nowrap" }}>
        <Hint label={utc(experiment.started_at)}>{ago(experiment.started_at)}</Hint>
      </Table.Td>
      {isAdmin && (
        <Table.Td ta="right" className="tabular">
          <Calls experiment={experiment} />
        </Table.Td>
      )}
    </Table.Tr>
  );
}

function Calls({ experiment }: { experiment: Experiment }): ReactElement {
  const { data } = useResult(experiment);
  return <>{count(data?.arms.reduce((sum, arm) => sum + arm.calls, 0))}</>;
}

function StateBadge({ experiment }: { experiment: Experiment }): ReactElement {
  const isGuarded = experiment.ended_by === "guarded";
  const color = experiment.running ? "cyan" : isGuarded ? "red" : "gray";
  return (
    <Badge c="var(--mantine-color-text)" color={color} miw="max-content">
      {stateWords(experiment)}
    </Badge>
  );
}

/** `as-now 50 % · other 50 %`: what share of the users or keys each has. */
function armWords(experiment: Experiment): string {
  const total = experiment.arms.reduce((sum, arm) => sum + (arm.weight ?? 1), 0);
  return experiment.arms
    .map((arm) => `${arm.name} ${Math.round(((arm.weight ?? 1) / total) * 100)} %`)
    .join(" · ");
}
