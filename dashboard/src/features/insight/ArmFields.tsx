/** Which candidates take part, under which names, and for which share of the users or keys? */
import { Checkbox, Text, TextInput } from "@mantine/core";
import type { ReactElement } from "react";
import { type ArmDraft, firstName } from "./arms";
import classes from "./Experiments.module.css";

interface ArmFieldsProps {
  arms: readonly ArmDraft[];
  onChange: (arms: ArmDraft[]) => void;
}

export function ArmFields({ arms, onChange }: ArmFieldsProps): ReactElement {
  const set = (place: number, change: Partial<ArmDraft>): void =>
    onChange(arms.map((arm, at) => (at === place ? { ...arm, ...change } : arm)));
  return (
    <fieldset className={classes.fields}>
      <Text component="legend" size="sm" fw={500}>
        Arms
      </Text>
      <Text size="xs" c="dimmed" mb={4}>
        The others are compared with {firstName(arms) ?? "the first"}. By their weights users or
        keys are shared out.
      </Text>
      {arms.map((arm, place) => {
        const offer = `${arm.endpoint}/${arm.model}`;
        return (
          <div key={offer} className={classes.field}>
            <Checkbox
              label={<span style={{ overflowWrap: "anywhere" }}>{offer}</span>}
              checked={arm.isIn}
              onChange={(event) => set(place, { isIn: event.currentTarget.checked })}
            />
            <TextInput
              aria-label={`Name of the arm ${offer}`}
              maxLength={64}
              disabled={!arm.isIn}
              value={arm.name}
              onChange={(event) => set(place, { name: event.currentTarget.value })}
            />
            <TextInput
              aria-label={`Weight of the arm ${offer}`}
              inputMode="numeric"
              leftSection={<Text size="xs">×</Text>}
              disabled={!arm.isIn}
              value={arm.weight}
              onChange={(event) => set(place, { weight: event.currentTarget.value })}
            />
          </div>
        );
      })}
    </fieldset>
  );
}
