/** A difference in cost: with its sign, and whether it is good. */
import { List, Text } from "@mantine/core";
import type { ReactElement } from "react";
import { money, UNKNOWN } from "@/lib/format";
import { Hint } from "./Figures";

interface SavingProps {
  /** Below zero: it would have cost more. */
  usd: string | null;
  /** What was taken for granted: with any of it the figure is an estimate. */
  notes: readonly string[];
  /** Also without notes, or where they stand beside it. */
  estimated?: boolean;
}

export function Saving({ usd, notes, estimated = notes.length > 0 }: SavingProps): ReactElement {
  const label =
    notes.length > 0 ? (
      <List size="xs">
        {notes.map((note) => (
          <List.Item key={note}>{note}</List.Item>
        ))}
      </List>
    ) : null;
  if (usd === null) return <Hint label={label ?? "Not known"}>{UNKNOWN}</Hint>;
  const saved = Number(usd);
  const size = `${estimated ? "≈ " : ""}${money(Math.abs(saved))}`;
  return (
    <Hint label={label}>
      <Text
        component="span"
        inherit
        className="tabular"
        c={saved > 0 ? "var(--good)" : saved < 0 ? "var(--bad)" : undefined}
        style={{ whiteSpace: "nowrap" }}
      >
        {saved > 0
          ? `${size} less`
          : saved < 0
            ? `${size} more`
            : estimated
              ? "≈ the same"
              : "the same"}
      </Text>
    </Hint>
  );
}
