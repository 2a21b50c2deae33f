/** How did a call or an attempt end? A sign and a word; the colour says nothing alone. */
import type { ReactElement } from "react";
import { words } from "@/lib/format";
import classes from "./Outcome.module.css";

interface OutcomeProps {
  status: string;
  httpStatus?: number | null | undefined;
  ending?: string | null | undefined;
  /** Small, below the first line. */
  detail?: boolean;
}

const LOOKS = {
  COMPLETED: { sign: "✔", color: "var(--good)", word: "completed" },
  FAILED: { sign: "✕", color: "var(--bad)", word: "failed" },
  PROCESSING: { sign: "…", color: "var(--mantine-color-dimmed)", word: "under way" },
} as const;

export function Outcome({ status, httpStatus, ending, detail }: OutcomeProps): ReactElement {
  const look = LOOKS[status as keyof typeof LOOKS] ?? LOOKS.PROCESSING;
  const unusual = ending && ending !== "complete" ? words(ending) : null;
  const code = status === "FAILED" && httpStatus ? ` ${httpStatus}` : "";
  return (
    <div>
      <span className={classes.outcome} style={{ color: look.color }}>
        <span aria-hidden="true">{look.sign}</span> {look.word}
        {code}
      </span>
      {detail && unusual && <div className={classes.detail}>{unusual}</div>}
    </div>
  );
}
