/** What would the rules of today change of the past? Counted and sampled before anything is done. */
import { Button, Group, NumberInput, Stack, Text, TextInput } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { type ReactElement, useState } from "react";
import { api, read, type Schemas } from "@/api/client";
import { Confirm } from "@/components/Confirm";
import { Failure, Panel } from "@/components/States";
import { count, counted } from "@/lib/format";
import { BackfillRuns } from "./BackfillRuns";
import { Command } from "./Command";
import { Preview } from "./Preview";
import { Working } from "./Working";
import { start, useWork } from "./work";

const CALLS_DEFAULT = 20_000;
const CALLS_MAX = 100_000;

export function Backfill(): ReactElement {
  const [since, setSince] = useState("");
  const [until, setUntil] = useState("");
  const [callsMax, setCallsMax] = useState(CALLS_DEFAULT);
  const [isAsking, setIsAsking] = useState(false);
  const work = useWork();
  const span = { since: startOf(since), until: startOf(until) };
  const preview = useMutation({
    mutationFn: () =>
      read(
        api.POST("/api/v1/attribution/backfill/preview", {
          body: { ...span, calls_max: callsMax },
        }),
      ),
  });
  const command = ["tollbridge backfill", since && `--since ${since}`, until && `--until ${until}`]
    .filter(Boolean)
    .join(" ");
  return (
    <Stack gap="md">
      <Panel title="What would change">
        <Text size="sm" c="dimmed" mb="sm">
          Calls of the past are tried again by the rules of today. A preview writes nothing.
        </Text>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            preview.mutate();
          }}
        >
          <Group align="flex-end" gap="sm">
            <TextInput
              type="date"
              label="From (UTC)"
              value={since}
              onChange={(event) => setSince(event.currentTarget.value)}
            />
            <TextInput
              type="date"
              label="Before"
              value={until}
              min={since || undefined}
              onChange={(event) => setUntil(event.currentTarget.value)}
            />
            <NumberInput
              label="Look at no more than"
              suffix=" calls"
              thousandSeparator=","
              w={180}
              min={1}
              max={CALLS_MAX}
              step={10_000}
              value={callsMax}
              onChange={(value) => setCallsMax(Number(value) || CALLS_DEFAULT)}
            />
            <Button type="submit" loading={preview.isPending}>
              Preview
            </Button>
          </Group>
        </form>
        {preview.isError && <Failure error={preview.error} retry={() => preview.mutate()} />}
        {preview.data && <Preview found={preview.data} />}
      </Panel>
      <Panel title="Do it">
        <Text size="sm" mb="sm">
          It goes on while this page is open. What it has done stays done: a run that was
          interrupted goes on where it stopped, and each run can be taken back.
        </Text>
        <Button variant="default" loading={work.isPending} onClick={() => setIsAsking(true)}>
          Start for these calls
        </Button>
        <Working work={work} total={preview.data?.total} />
        <Text size="sm" mt="md" mb="xs" c="dimmed">
          Or, for millions of calls, where Tollbridge runs:
        </Text>
        <Command>{command}</Command>
      </Panel>
      <Confirm
        opened={isAsking}
        title="Attribute these calls again?"
        action="Start"
        onClose={() => setIsAsking(false)}
        onConfirm={async () => work.mutate(start(span))}
      >
        <Text size="sm">{whatComes(preview.data)}</Text>
      </Confirm>
      <BackfillRuns />
    </Stack>
  );
}

/** What is known beforehand of what a run will do. */
function whatComes(found: Schemas["BackfillPreview"] | undefined): string {
  const undo = "No cost changes, and the run can be taken back.";
  if (!found) return `How many calls change is not known without a preview. ${undo}`;
  const part = found.complete ? "" : ` of the first ${count(found.calls)}`;
  return `About ${counted(found.total, "call")} will be looked at; by the preview ${count(found.changed)}${part} change, ${count(found.reassigned)} to another provider. ${undo}`;
}

function startOf(date: string): string | null {
  return date ? `${date}T00:00:00Z` : null;
}
