/** How far has a run come that is worked on from here, and what came of it? */
import { Button, Group, Progress, Text } from "@mantine/core";
import type { ReactElement } from "react";
import { Failure } from "@/components/States";
import { count, counted } from "@/lib/format";
import type { useWork } from "./work";

interface WorkingProps {
  work: ReturnType<typeof useWork>;
  /** About how many calls there are to look at; unknown where nothing was counted. */
  total?: number | undefined;
}

export function Working({ work, total }: WorkingProps): ReactElement | null {
  const { run, error, isPending } = work;
  if (!run && !error && !isPending) return null;
  return (
    <div aria-live="polite">
      {isPending && (
        <Group gap="sm" mt="sm" wrap="nowrap">
          <Progress
            flex={1}
            value={total && run ? Math.min(100, (run.calls / total) * 100) : 100}
            animated={!total}
            aria-label="Calls looked at"
          />
          <Button size="compact-sm" variant="default" onClick={work.stop}>
            Pause
          </Button>
        </Group>
      )}
      {run && (
        <Text size="sm" mt="xs">
          {isPending ? "Under way: " : run.state === "running" ? "Paused: " : "Done: "}
          {counted(run.calls, "call")} looked at, {count(run.changed)} changed,{" "}
          {count(run.reassigned)} of these to another provider.
          {run.left_alone > 0 && ` ${count(run.left_alone)} left as a later run made them.`}
          {run.marked > 0 &&
            ` ${counted(run.marked, "call")} priced as another provider’s: they can be rated again.`}
        </Text>
      )}
      {error && <Failure error={error} />}
    </div>
  );
}
