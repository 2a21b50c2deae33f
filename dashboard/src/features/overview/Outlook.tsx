/** What will the month come to, and how far is that to be trusted? */
import { Text } from "@mantine/core";
import type { ReactElement } from "react";
import type { Schemas } from "@/api/client";
import { Hint } from "@/components/Figures";
import { bookMonthName, count, counted, money, percent } from "@/lib/format";

interface OutlookProps {
  series: Schemas["SeriesForecast"];
  /** Attempts whose cost is not known, and so not foretold either. */
  unpriced: number;
}

export function Outlook({ series, unpriced }: OutlookProps): ReactElement | null {
  const { month, reason } = series;
  if (reason !== null) {
    return (
      <Text size="sm" mt="xs" c="dimmed">
        Nothing is foretold: {reason}.
      </Text>
    );
  }
  if (!month) return null;
  const band =
    month.low === null || month.high === null
      ? ""
      : `, between ${money(month.low)} and ${money(month.high)}`;
  return (
    <Text size="sm" mt="xs">
      <Hint label={<Trust series={series} unpriced={unpriced} />}>
        {bookMonthName(month.month)} comes to <b>≈ {money(month.expected)}</b>
        {band}
      </Hint>
      <Text component="span" size="sm" c="dimmed">
        {" "}
        · {money(month.so_far)} so far
      </Text>
    </Text>
  );
}

/** By which model, learnt from how much, and how wrong was it before? */
function Trust({ series, unpriced }: OutlookProps): ReactElement {
  const { model, history_days, accuracy } = series;
  return (
    <>
      <div>
        {model === "theta" ? "By the Theta method" : "Each weekday as before"}, learnt from{" "}
        {counted(history_days, "day")}.
      </div>
      <div>
        {accuracy
          ? `Tried on days of the past it was wrong by ${percent(accuracy.total_relative_error)} over ${counted(accuracy.days, "day")}; ${percent(accuracy.coverage)} of them lay in the band.`
          : "There are too few days to try it on the past."}
      </div>
      {unpriced > 0 && <div>{count(unpriced)} attempts without a price are not in it.</div>}
    </>
  );
}
