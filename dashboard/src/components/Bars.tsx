/** Who has how much of it? Horizontal bars, the largest first; each leads to the calls behind it. */
import { Text } from "@mantine/core";
import type { ReactElement, ReactNode } from "react";
import { percent } from "@/lib/format";
import classes from "./Bars.module.css";

export interface Bar {
  key: string;
  name: ReactNode;
  /** As it is written. */
  figure: ReactNode;
  /** From 0 to 1, of the whole; null where that is not known. */
  share: number | null;
  color?: string;
  /** Makes the name a link, or what else leads to its calls. */
  link?: (props: { className?: string; children: ReactNode }) => ReactElement;
}

export function Bars({ bars, label }: { bars: readonly Bar[]; label: string }): ReactElement {
  const most = Math.max(...bars.map((bar) => bar.share ?? 0), 1e-9);
  return (
    <ul className={classes.bars} aria-label={label}>
      {bars.map((bar) => (
        <li key={bar.key} className={classes.bar}>
          <div className={classes.words}>
            {bar.link ? (
              bar.link({ className: classes.link, children: bar.name })
            ) : (
              <span className={classes.name}>{bar.name}</span>
            )}
            <span className={classes.figure}>{bar.figure}</span>
            <Text component="span" size="xs" c="dimmed" className={classes.share}>
              {percent(bar.share)}
            </Text>
          </div>
          <div className={classes.track} aria-hidden="true">
            <div
              className={bar.color ? undefined : classes.plain}
              style={{
                width: `${((bar.share ?? 0) / most) * 100}%`,
                backgroundColor: bar.color,
              }}
            />
          </div>
        </li>
      ))}
    </ul>
  );
}
