/** What does it cost, by which prices, and what was corrected since? */
import { Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { ReactElement } from "react";
import { api, read } from "@/api/client";
import { Hint, Instant, Money } from "@/components/Figures";
import { isEstimated } from "@/lib/estimate";
import { count, day, rate, words } from "@/lib/format";
import { type Attempt, type CallInFull, type Component, perText, unitName } from "./call";
import classes from "./Logs.module.css";
import { NotKept } from "./Stages";

const ORIGINS: Readonly<Record<string, string>> = {
  reported: "as the provider says it charged",
  computed: "by our prices",
  nothing_owed: "nothing is owed",
  mixed: "partly reported, partly by our prices",
};

export function RateStage({ call }: { call: CallInFull }): ReactElement {
  const billed = call.attempt_list.filter(
    (attempt) => attempt.components.length > 0 || attempt.cost_usd !== null,
  );
  const origin = call.cost_origin ? (ORIGINS[call.cost_origin] ?? words(call.cost_origin)) : null;
  return (
    <>
      {call.cost_usd === null && (
        <NotKept>No cost is known: {words(call.unpriced_reason ?? "no_price")}.</NotKept>
      )}
      {billed.map((attempt) => (
        <Bill key={attempt.number} attempt={attempt} isOnly={billed.length === 1} />
      ))}
      {origin && (
        <Text size="xs" c="dimmed">
          {origin}
          {call.cost_origin !== "computed" && call.computed_usd !== null && (
            <>
              ; our prices give <Money usd={call.computed_usd} estimated={isEstimated(call)} />
            </>
          )}
        </Text>
      )}
    </>
  );
}

function Bill({ attempt, isOnly }: { attempt: Attempt; isOnly: boolean }): ReactElement {
  const estimated = isEstimated(attempt);
  return (
    <table className={classes.lines}>
      {!isOnly && <caption style={{ textAlign: "left" }}>attempt {attempt.number}</caption>}
      <tbody>
        {attempt.components.map((component) => (
          <Line
            key={`${component.unit}-${component.price_version_id}`}
            component={component}
            estimated={estimated}
          />
        ))}
        {Number(attempt.rounding_usd ?? 0) !== 0 && (
          <tr>
            <td>rounding</td>
            <td>
              <Money usd={attempt.rounding_usd} />
            </td>
          </tr>
        )}
        <tr>
          <td>
            <b>cost</b>
            {attempt.price_source && (
              <Text component="span" size="xs" c="dimmed">
                {" "}
                prices from the {attempt.price_source === "seed" ? "catalogue" : "database"}
              </Text>
            )}
          </td>
          <td>
            <b>
              <Money
                usd={attempt.cost_usd}
                reason={attempt.unpriced_reason}
                estimated={estimated}
              />
            </b>
          </td>
        </tr>
        {attempt.adjustments.map((one) => (
          <tr key={one.adjustment_id}>
            <td>
              corrected <Instant iso={one.recorded_at} /> by {one.actor}: {words(one.reason)}
            </td>
            <td>
              <Money usd={one.difference_usd} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** What is in force from before is in force as long as anybody knows. */
const THE_BEGINNING = "2000";
const OWN_UNITS: Readonly<Record<string, string>> = {
  reported_difference: "what the provider says it charged, beyond our prices",
};

function Line(props: { component: Component; estimated: boolean }): ReactElement {
  const { component, estimated } = props;
  const own = OWN_UNITS[component.unit];
  return (
    <tr>
      <td>
        {own ?? (
          <>
            {count(component.quantity)} {unitName(component.unit, component.quantity)} ×{" "}
            {rate(component.rate_usd)} per {perText(component)}{" "}
            <PriceOf versionId={component.price_version_id} />
          </>
        )}
      </td>
      <td>
        <Money usd={component.amount_usd} estimated={estimated} />
      </td>
    </tr>
  );
}

/** Since when a price is in force, and who says so; a version never changes. */
function PriceOf({ versionId }: { versionId: string }): ReactElement | null {
  const price = useQuery({
    queryKey: ["price-version", versionId],
    queryFn: ({ signal }) =>
      read(
        api.GET("/api/v1/prices/versions/{price_version_id}", {
          params: { path: { price_version_id: versionId } },
          signal,
        }),
      ),
    enabled: versionId !== "",
    staleTime: Number.POSITIVE_INFINITY,
    retry: false,
  });
  if (!price.data) return null;
  const { valid_from, source, reference } = price.data;
  return (
    <Text component="span" size="xs" c="dimmed">
      <Hint label={`version ${versionId}${reference ? `, ${reference}` : ""}`}>
        ({valid_from < THE_BEGINNING ? "price from the start" : `price of ${day(valid_from)}`},
        source {source})
      </Hint>
    </Text>
  );
}
