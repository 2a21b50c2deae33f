/** What would save money? Ranked, each with its evidence and the way to do it. */
import { Anchor, Badge, Group, Stack, Text } from "@mantine/core";
import { getRouteApi, Link } from "@tanstack/react-router";
import type { ReactElement } from "react";
import { Provider } from "@/components/Figures";
import { Saving } from "@/components/Saving";
import { Panel, StateOf } from "@/components/States";
import { sentence, useRecommendations } from "@/lib/insight";
import type { Category } from "@/lib/names";
import { useRange } from "@/lib/range";
import { AskFirst } from "./AskFirst";
import classes from "./Insight.module.css";
import { type Advice, useCategory } from "./query";
import { Ranking } from "./Ranking";

const route = getRouteApi("/framed/insight");
const KINDS: Readonly<Record<string, string>> = {
  cheaper_model: "A cheaper model",
  dear_provider: "A dear provider",
  long_prompts: "Long prompts",
  paid_failures: "Failures that cost",
};

export function Savings(): ReactElement {
  const category = useCategory();
  const query = useRecommendations(category);
  return (
    <StateOf query={query}>
      {(found) => (
        <Stack gap="md">
          <AdviceList advice={found.advice} category={category} />
          <Ranking found={found} category={category} />
        </Stack>
      )}
    </StateOf>
  );
}

interface AdviceListProps {
  advice: Advice[];
  category: Category;
}

function AdviceList({ advice, category }: AdviceListProps): ReactElement {
  const { label } = useRange();
  return (
    <Panel
      title="What would save money"
      aside={
        <Text size="sm" c="dimmed">
          {category}, {label}
        </Text>
      }
    >
      {advice.length === 0 ? (
        <Text size="sm" c="dimmed">
          Nothing in the usage of {category} of this time could be had for much less.
        </Text>
      ) : (
        <ul className={classes.advice}>
          {advice.map((one) => (
            <li key={`${one.kind} ${one.provider} ${one.model}`}>
              <OneAdvice one={one} category={category} />
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}

const PRIORITIES: Readonly<Record<string, string>> = { high: "red", medium: "orange", low: "gray" };

function OneAdvice({ one, category }: { one: Advice; category: Category }): ReactElement {
  return (
    <div className={classes.one}>
      <div>
        <Text fz={20} fw={600} component="div">
          <Saving usd={one.saving_usd} notes={[]} estimated />
        </Text>
        <Text size="xs" c="dimmed">
          {one.saving_usd === null ? "saving not known" : "in this time, at most"}
        </Text>
      </div>
      <div>
        <Group gap="xs">
          <Text fw={600} size="sm">
            {KINDS[one.kind] ?? one.kind}
          </Text>
          <Badge c="var(--mantine-color-text)" color={PRIORITIES[one.priority] ?? "gray"}>
            {one.priority}
          </Badge>
        </Group>
        <Text size="sm" style={{ overflowWrap: "anywhere" }}>
          {sentence(one.text)}
        </Text>
        {one.notes.map((note) => (
          <Text key={note} size="xs" c="dimmed">
            {sentence(note)}
          </Text>
        ))}
        <Group gap="md" mt={6}>
          <Provider provider={one.provider} />
          {one.instead_provider && (
            <>
              <Text size="sm" aria-label="instead">
                →
              </Text>
              <Provider provider={one.instead_provider} bucket={one.instead_model} />
            </>
          )}
        </Group>
      </div>
      <Group gap="sm" justify="flex-end">
        <Calls one={one} category={category} />
        {one.instead_provider && <AskFirst provider={one.instead_provider} category={category} />}
      </Group>
    </div>
  );
}

function Calls({ one, category }: { one: Advice; category: Category }): ReactElement {
  const { range, from, to, project } = route.useSearch();
  const status = one.kind === "paid_failures" ? ("FAILED" as const) : undefined;
  return (
    <Anchor
      size="sm"
      renderRoot={(props) => (
        <Link
          {...props}
          to="/logs"
          search={{
            ...{ range, from, to, project, category, status },
            provider: one.provider,
            model: one.model ?? undefined,
          }}
        />
      )}
    >
      The calls
    </Anchor>
  );
}
