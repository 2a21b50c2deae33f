/** Who changed what of a model, and how does an earlier state come back? */
import { Button, Group, Stack, Text, Timeline } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { type ReactElement, useState } from "react";
import { Confirm } from "@/components/Confirm";
import { Instant } from "@/components/Figures";
import { StateOf } from "@/components/States";
import { told } from "@/components/toasts";
import { words } from "@/lib/format";
import classes from "./Models.module.css";

import { type Change, type Model, readChanges, useRestore } from "./queries";
import { fieldTitle, valueText } from "./values";

const HIDDEN = new Set(["version", "origin", "updated_at", "updated_by"]);

export function Changes({ model, canEdit }: { model: Model; canEdit: boolean }): ReactElement {
  const name = model.model_name;
  const [wanted, setWanted] = useState<Change | null>(null);
  const restore = useRestore();
  const changes = useQuery({
    queryKey: ["models", "changes", name],
    queryFn: () => readChanges(name),
  });
  return (
    <>
      <StateOf query={changes}>
        {(found) => (
          <Timeline bulletSize={12} lineWidth={2}>
            {found.map((one, place) => (
              <Timeline.Item
                key={one.change_id}
                title={
                  <Group gap="xs" justify="space-between" align="flex-start">
                    <Text size="sm" fw={600}>
                      {words(one.action)}{" "}
                      <Text span size="sm" c="dimmed" fw={400}>
                        by {one.actor}
                      </Text>
                    </Text>
                    <Group gap="xs">
                      <Text size="xs" c="dimmed">
                        <Instant iso={one.at} />
                      </Text>
                      {canEdit && place > 0 && (
                        <Button size="compact-xs" variant="default" onClick={() => setWanted(one)}>
                          Restore
                        </Button>
                      )}
                    </Group>
                  </Group>
                }
              >
                <Changed change={one} />
              </Timeline.Item>
            ))}
          </Timeline>
        )}
      </StateOf>
      <Confirm
        opened={wanted !== null}
        title="Bring this state back?"
        action="Restore"
        onClose={() => setWanted(null)}
        onConfirm={async () => {
          if (!wanted) return;
          await restore.mutateAsync({ name, change_id: wanted.change_id, version: model.version });
          told(`${name} is as it was after that change.`);
        }}
      >
        <Stack gap="xs">
          <Text size="sm">
            The model becomes what it was after the change of <Instant iso={wanted?.at} />, its
            prices too. That is a change of its own: this history stays.
          </Text>
        </Stack>
      </Confirm>
    </>
  );
}

function Changed({ change }: { change: Change }): ReactElement | null {
  const fields = Object.entries(change.changed).filter(
    ([field, [before, after]]) => !HIDDEN.has(field) && (before ?? null) !== (after ?? null),
  );
  if (fields.length === 0) return null;
  return (
    <dl className={classes.facts} style={{ marginTop: 4 }}>
      {fields.map(([field, [before, after]]) => (
        <div key={field} style={{ display: "contents" }}>
          <dt>{fieldTitle(field)}</dt>
          <dd>
            {change.before !== null && (
              <>
                <Text span size="sm" c="dimmed">
                  {valueText(field, before)}
                </Text>{" "}
                →{" "}
              </>
            )}
            <bdi>{valueText(field, after)}</bdi>
          </dd>
        </div>
      ))}
    </dl>
  );
}
