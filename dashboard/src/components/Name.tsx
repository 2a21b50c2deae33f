/** How does text that somebody else chose stand on the screen: long, right to left, or odd? */
import type { ReactElement } from "react";
import classes from "./Name.module.css";

interface NameProps {
  children: string | null | undefined;
  /** In small grey letters. */
  minor?: boolean;
  strong?: boolean;
}

/** One line, cut off with dots, whole on hover; its direction does not turn what stands around. */
export function Name({ children, minor, strong }: NameProps): ReactElement {
  const look = minor ? classes.minor : strong ? classes.strong : "";
  return (
    <span className={`${classes.name} ${look}`} title={children ?? undefined}>
      <bdi>{children ?? "—"}</bdi>
    </span>
  );
}
