/** Between which bounds is a difference? A bar around a dot, over a line that stands for none. */
import type { ReactElement } from "react";
import classes from "./Experiments.module.css";
import type { Difference } from "./experiments";

interface IntervalProps {
  difference: Difference;
  /** What either end of the axis stands for; all arms have the same. */
  reach: number;
  better: 1 | -1;
}

export function Interval({ difference, reach, better }: IntervalProps): ReactElement {
  const at = (text: string): number => (reach > 0 ? 50 + (Number(text) / reach) * 50 : 50);
  const { value, low, high, sure } = difference;
  const tone = !sure ? classes.open : Number(value) * better > 0 ? classes.good : classes.bad;
  return (
    // Beside it stands the same in words.
    <div className={classes.axis} aria-hidden="true">
      <span className={classes.none} />
      {low !== null && high !== null && (
        <span
          className={`${classes.span} ${tone}`}
          style={{ left: `${at(low)}%`, width: `${at(high) - at(low)}%` }}
        />
      )}
      <span className={`${classes.dot} ${tone}`} style={{ left: `${at(value)}%` }} />
    </div>
  );
}
