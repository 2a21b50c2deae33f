/** How does a degree of confidence look? Its word always stands beside its colour. */
import { Badge } from "@mantine/core";
import type { ReactElement } from "react";
import { Hint } from "@/components/Figures";
import classes from "./Attribution.module.css";

interface Look {
  label: string;
  color: string;
  why: string;
}

const UNSURE: Look = { label: "unknown", color: "gray", why: "Nothing says who served." };
/** Least sure first, as everywhere on this page. */
const LOOKS: Readonly<Record<string, Look>> = {
  none: UNSURE,
  assumed: { label: "assumed", color: "red", why: "Only the bucket, or who was asked, says so." },
  weak: { label: "weak", color: "orange", why: "A model's name says who made it, not who ran it." },
  strong: {
    label: "strong",
    color: "teal",
    why: "Only this provider has it, or its path says so.",
  },
  observed: { label: "observed", color: "green", why: "We asked that endpoint and it answered." },
  reported: { label: "reported", color: "cyan", why: "Whoever carried the call names it." },
};

export function lookOf(confidence: string): Look {
  return LOOKS[confidence] ?? UNSURE;
}

export function Sure({ confidence }: { confidence: string }): ReactElement {
  const look = lookOf(confidence);
  return (
    <Hint label={look.why}>
      <Badge
        c="var(--mantine-color-text)"
        color={look.color}
        miw="max-content"
        style={{ verticalAlign: "middle" }}
      >
        {look.label}
      </Badge>
    </Hint>
  );
}

/** The colour of a degree in a bar; what nobody knows is hatched. */
export function SureMark({ confidence }: { confidence: string }): ReactElement {
  return <span aria-hidden="true" className={`${classes.mark} ${markOf(confidence)}`} />;
}

export function markOf(confidence: string): string {
  return classes[`mark_${confidence}`] ?? classes.mark_none ?? "";
}
