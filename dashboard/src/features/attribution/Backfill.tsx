/** What would the rules of today change of the past? Counted and sampled before anything is done. */
import {
  Button,
  Code,
  CopyButton,
  Group,
  NumberInput,
  Stack,
  Text,
  TextInput,
} from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { type ReactElement, useState } from "react";
import { api, read } from "@/api/client";
import { Icon } from "@/components/icons";
import { Failure, Panel } from "@/components/States";
import { BackfillRuns } from "./BackfillRuns";
import { Preview } from "./Preview";

const CALLS_DEFAULT = 20_000;
const CALLS_MAX = 100_000;

export function Backfill(): ReactElement {
  const [since, setSince] = useState("");
  const [until, setUntil] = useState("");
  const [callsMax, setCallsMax] = useState(CALLS_DEFAULT);
  const preview = useMutation({
    mutationFn: () =>
      read(
        api.POST("/api/v1/attribution/backfill/preview", {
          body: { since: startOf(since), until: startOf(until), calls_max: callsMax },
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
        <Text size="sm" mb="xs">
          Run this where Tollbridge runs. It goes on where it stopped if it is interrupted, and each
          run can be taken back.
        </Text>
        <Command>{command}</Command>
      </Panel>
      <BackfillRuns />
    </Stack>
  );
}

function startOf(date: string): string | null {
  return date ? `${date}T00:00:00Z` : null;
}

/** A command for a terminal, with a button that copies it. */
export function Command({ children }: { children: string }): ReactElement {
  return (
    <Group gap="xs" wrap="nowrap" align="center">
      <Code block flex={1} miw={0} style={{ overflowX: "auto" }}>
        {children}
      </Code>
      <CopyButton value={children}>
        {({ copied, copy }) => (
          <Button
            variant="default"
            size="compact-sm"
            leftSection={<Icon name={copied ? "check" : "copy"} size={14} />}
            onClick={copy}
          >
            {copied ? "Copied" : "Copy"}
          </Button>
        )}
      </CopyButton>
    </Group>
  );
}
