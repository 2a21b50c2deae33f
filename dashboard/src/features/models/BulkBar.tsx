/** What can be done to several models at once? It says how many rows before, and after. */
import { Button, Group, List, Paper, Text } from "@mantine/core";
import { useNavigate } from "@tanstack/react-router";
import { type ReactElement, useState } from "react";
import { Confirm } from "@/components/Confirm";
import { failed, told } from "@/components/toasts";
import { count } from "@/lib/format";
import { COMPARED_MAX, join } from "./compare";
import { type Model, useSwitch } from "./queries";

const LISTED_MAX = 8;
const models = (number: number): string => `${count(number)} ${number === 1 ? "model" : "models"}`;

export function BulkBar(props: {
  selected: Model[];
  canEdit: boolean;
  onClear: () => void;
}): ReactElement | null {
  const { selected, canEdit, onClear } = props;
  const navigate = useNavigate({ from: "/models" });
  const change = useSwitch();
  const [asked, setAsked] = useState<{ isActive: boolean } | null>(null);
  if (selected.length === 0) return null;
  const off = selected.filter((one) => !one.is_active);
  const on = selected.filter((one) => one.is_active && !one.is_default);
  const changed = asked?.isActive ? off : on;
  const defaults = asked && !asked.isActive ? selected.filter((one) => one.is_default) : [];
  const run = async (names: string[], isActive: boolean): Promise<void> => {
    await change.mutateAsync({ names, isActive });
    told(
      `${models(names.length)} ${names.length === 1 ? "is" : "are"} ${isActive ? "" : "not "}active now.`,
      () => change.mutateAsync({ names, isActive: !isActive }).catch(failed),
    );
  };
  return (
    <Paper withBorder p="xs" mb="sm" role="region" aria-label="Selected models">
      <Group gap="xs">
        <Text size="sm" fw={600} mr="auto">
          {models(selected.length)} selected
        </Text>
        {canEdit && (
          <>
            <Button
              size="compact-sm"
              variant="default"
              disabled={off.length === 0}
              onClick={() => setAsked({ isActive: true })}
            >
              Activate {count(off.length)}
            </Button>
            <Button
              size="compact-sm"
              variant="default"
              disabled={on.length === 0}
              onClick={() => setAsked({ isActive: false })}
            >
              Deactivate {count(on.length)}
            </Button>
          </>
        )}
        <Button
          size="compact-sm"
          disabled={selected.length < 2 || selected.length > COMPARED_MAX}
          title={`Two to ${COMPARED_MAX} can be compared`}
          onClick={() =>
            void navigate({
              search: (before) => ({
                ...before,
                compare: join(selected.map((one) => one.model_name)),
              }),
            })
          }
        >
          Compare
        </Button>
        <Button size="compact-sm" variant="subtle" onClick={onClear}>
          Clear
        </Button>
      </Group>
      <Confirm
        opened={asked !== null}
        title={`${asked?.isActive ? "Activate" : "Deactivate"} ${models(changed.length)}?`}
        action={`${asked?.isActive ? "Activate" : "Deactivate"} ${count(changed.length)}`}
        onClose={() => setAsked(null)}
        onConfirm={() =>
          run(
            changed.map((one) => one.model_name),
            asked?.isActive ?? true,
          )
        }
      >
        <Text size="sm">
          Of {models(selected.length)} selected, {count(changed.length)} will change.
          {asked &&
            !asked.isActive &&
            " Calls for them are refused, unless a route serves the name."}
        </Text>
        <List size="sm" mt="xs">
          {changed.slice(0, LISTED_MAX).map((one) => (
            <List.Item key={one.model_name}>
              <bdi>{one.model_name}</bdi>
            </List.Item>
          ))}
          {changed.length > LISTED_MAX && (
            <List.Item>and {count(changed.length - LISTED_MAX)} more</List.Item>
          )}
        </List>
        {defaults.length > 0 && (
          <Text size="sm" mt="xs">
            {defaults.map((one) => one.model_name).join(", ")}: the default of its type, stays
            active.
          </Text>
        )}
      </Confirm>
    </Paper>
  );
}
