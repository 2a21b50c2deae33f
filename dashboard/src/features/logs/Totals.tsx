/** How many calls does the filter let by, and what did they cost in sum? */
import { Text } from "@mantine/core";
import type { ReactElement } from "react";
import { Hint, Money } from "@/components/Figures";
import { count, percent } from "@/lib/format";
import { type LogQuery, useTotals } from "./query";

interface TotalsProps {
  query: LogQuery;
  /** Whether the rows stand there: they come first. */
  isDue: boolean;
}

export function Totals({ query, isDue }: TotalsProps): ReactElement {
  const { isSummed, total, counted } = useTotals(query, isDue);
  if (isSummed && total) {
    const { calls, completed, failed, unpriced, estimated } = total;
    const ended = completed + failed;
    return (
      <Text size="sm" component="div" aria-live="polite" className="tabular">
        <b>{count(calls)}</b> {calls === 1 ? "call" : "calls"} ·{" "}
        <Money usd={total.cost_usd} estimated={estimated > 0} />
        {ended > 0 && ` · ${percent(completed / ended)} ok`}
        {unpriced > 0 && (
          <>
            {" · "}
            <Hint label="Their cost is not known, and not in the sum.">
              {count(unpriced)} unpriced
            </Hint>
          </>
        )}
        {estimated > 0 && (
          <>
            {" · "}
            <Hint label="Their usage was estimated, and so is their cost.">
              {count(estimated)} ≈
            </Hint>
          </>
        )}
      </Text>
    );
  }
  if (!counted) return <Text size="sm">&nbsp;</Text>;
  return (
    <Text size="sm" component="div" aria-live="polite" className="tabular">
      <b>
        {counted.is_exact ? "" : "more than "}
        {count(counted.calls)}
      </b>{" "}
      calls
      {!isSummed && (
        <>
          {" · "}
          <Hint label="Sums are kept by provider, bucket, category, project, user and key. With other filters the calls are counted, up to a bound.">
            no sums for these filters
          </Hint>
        </>
      )}
    </Text>
  );
}
