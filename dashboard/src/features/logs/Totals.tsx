/** How many calls does the filter let by, and what did they cost in sum? */
import { Text } from "@mantine/core";
import type { ReactElement } from "react";
import type { Schemas } from "@/api/client";
import { Hint, Money } from "@/components/Figures";
import { count, percent } from "@/lib/format";
import { type LogQuery, useSums } from "./query";

interface TotalsProps {
  query: LogQuery;
  counted: Schemas["CallTotal"] | undefined;
}

export function Totals({ query, counted }: TotalsProps): ReactElement {
  const { isSummed, total } = useSums(query);
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
