/** What has one experiment found: which arm does better, and how sure is that? */
import { Alert, Anchor, Badge, Group, Skeleton, Text } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import type { ReactElement } from "react";
import { useIsAdmin } from "@/api/session";
import { Name } from "@/components/Name";
import { Panel, StateOf } from "@/components/States";
import { count, counted, instant, percent } from "@/lib/format";
import { ApplyArm, EndExperiment } from "./ExperimentActions";
import classes from "./Experiments.module.css";
import {
  type ArmResult,
  changeWords,
  type Experiment,
  endOf,
  MEASURES,
  measureOf,
  type Result,
  reachOf,
  useResult,
  type Verdict,
  verdictOf,
} from "./experiments";
import { Interval } from "./Interval";

export function ExperimentResult({ experiment }: { experiment: Experiment }): ReactElement {
  const isAdmin = useIsAdmin();
  const query = useResult(experiment);
  const ended = endOf(experiment);
  return (
    <Panel
      title={<span style={{ overflowWrap: "anywhere" }}>What {experiment.name} has found</span>}
      aside={isAdmin && experiment.running && <EndExperiment experiment={experiment} />}
    >
      {ended && <Said verdict={ended} />}
      {isAdmin ? (
        <StateOf query={query} loading={<Skeleton height={240} />}>
          {(found) => <Found found={found} experiment={experiment} />}
        </StateOf>
      ) : (
        <Text size="sm" c="dimmed">
          Its figures are of all users: administrators see them.
        </Text>
      )}
    </Panel>
  );
}

const COLORS = { good: "green", open: "gray", bad: "red" } as const;

function Said({ verdict }: { verdict: Verdict }): ReactElement {
  return (
    <Alert
      color={COLORS[verdict.tone]}
      variant="light"
      mb="sm"
      title={verdict.title}
      styles={{ title: { overflowWrap: "anywhere" } }}
    >
      {verdict.text}
    </Alert>
  );
}

function Found({ found, experiment }: { found: Result; experiment: Experiment }): ReactElement {
  const [first] = found.arms;
  const most = experiment.failed_share_max;
  return (
    <>
      <Said verdict={verdictOf(found)} />
      <ul className={classes.arms} aria-label="Arms">
        {found.arms.map((arm) => (
          <li key={arm.name} className={classes.arm}>
            <Who arm={arm} experiment={experiment} found={found} />
            {MEASURES.map((measure) => (
              <Measured key={measure.of} measure={measure} arm={arm} first={first} found={found} />
            ))}
          </li>
        ))}
      </ul>
      <Text size="xs" c="dimmed" mt="sm">
        Decided by {measureOf(experiment.objective).word}, from{" "}
        {counted(experiment.calls_min, "call")} of an arm on.{" "}
        {most === null
          ? "Nothing stops it by itself."
          : `It stops by itself where surely more than ${percent(most)} of an arm's calls fail.`}{" "}
        The bars are what is likely, with a certainty of 95 % however often one looks. Calls of{" "}
        {instant(found.counted.from)} to {instant(found.counted.to)} count, whoever served them in
        the end.
      </Text>
    </>
  );
}

interface WhoProps {
  arm: ArmResult;
  experiment: Experiment;
  found: Result;
}

function Who({ arm, experiment, found }: WhoProps): ReactElement {
  const asked = experiment.arms.find((one) => one.name === arm.name);
  const isBest = found.best === arm.name;
  const isFirst = found.arms[0]?.name === arm.name;
  return (
    <div className={classes.who}>
      <Group gap="xs">
        <Text fw={600} size="sm" style={{ overflowWrap: "anywhere" }}>
          {arm.name}
        </Text>
        {isBest && (
          <Badge c="var(--mantine-color-text)" color="green">
            best
          </Badge>
        )}
      </Group>
      <Name minor>{asked ? `${asked.endpoint}/${asked.model}` : null}</Name>
      <Text size="xs" c="dimmed" className="tabular">
        {counted(arm.subjects, experiment.subject)} ·{" "}
        <Anchor
          size="xs"
          underline="always"
          renderRoot={(props) => (
            <Link
              {...props}
              to="/logs"
              search={{
                tag: `experiment:${experiment.name}=${arm.name}`,
                from: found.counted.from ?? undefined,
                to: found.counted.to ?? undefined,
              }}
            />
          )}
        >
          {counted(arm.calls, "call")}
        </Anchor>
        {arm.unpriced > 0 && ` · ${count(arm.unpriced)} unpriced`}
      </Text>
      {isFirst && (
        <Text size="xs" c="dimmed">
          the others are compared with it
        </Text>
      )}
      <ApplyArm arm={arm.name} experiment={experiment} isBest={isBest} />
    </div>
  );
}

interface MeasuredProps {
  measure: (typeof MEASURES)[number];
  arm: ArmResult;
  first: ArmResult | undefined;
  found: Result;
}

function Measured({ measure, arm, first, found }: MeasuredProps): ReactElement {
  const { mean, difference } = measure.pick(arm);
  const base = Number((first && measure.pick(first).mean) ?? 0);
  return (
    <div className={classes.measure}>
      <Text size="xs" c="dimmed">
        {measure.title}
      </Text>
      <Text fw={600} className="tabular">
        {measure.say(mean)}
      </Text>
      {difference && (
        <>
          <Interval
            difference={difference}
            reach={reachOf(found.arms, measure)}
            better={measure.better}
          />
          <Text size="xs" className="tabular">
            {changeWords(measure, difference, base)}
          </Text>
          <Text size="xs" c={toneOf(measure.better, difference)}>
            {difference.sure
              ? Number(difference.value) * measure.better > 0
                ? "✔ surely better"
                : "✕ surely worse"
              : "not sure"}
          </Text>
        </>
      )}
    </div>
  );
}

function toneOf(better: number, difference: { sure: boolean; value: string }): string {
  if (!difference.sure) return "dimmed";
  return Number(difference.value) * better > 0 ? "var(--good)" : "var(--bad)";
}
