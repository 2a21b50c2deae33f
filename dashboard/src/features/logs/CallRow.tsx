/** What does one line of the log say? */
import { useSearch } from "@tanstack/react-router";
import { memo, type ReactElement } from "react";
import { Instant, Latency, Money, Provider, Tokens } from "@/components/Figures";
import { Name } from "@/components/Name";
import { Outcome } from "@/components/Outcome";
import { isEstimated } from "@/lib/estimate";
import { count } from "@/lib/format";
import classes from "./Logs.module.css";
import type { Call } from "./query";

interface CallRowProps {
  call: Call;
  place: number;
  /** Pixels from the list's top. */
  top: number;
  isCurrent: boolean;
  onOpen: (callId: string) => void;
  onFocus: (place: number) => void;
}

/** The model that was asked for, and below it the one that ran where that is another. */
function modelBelow(call: Pick<Call, "label" | "requested_model" | "served_model">) {
  const ran = call.served_model ?? call.requested_model;
  return ran && ran !== call.label ? `→ ${ran}` : null;
}

export const CallRow = memo(function CallRow(props: CallRowProps): ReactElement {
  const { call, place, top, isCurrent, onOpen, onFocus } = props;
  const openId = useSearch({ from: "/framed/logs", select: (search) => search.call });
  const below = modelBelow(call);
  const who = [call.key_name, ...call.tags].filter(Boolean).join(" · ");
  const estimated = isEstimated(call);
  return (
    <div
      role="row"
      aria-rowindex={place + 2}
      aria-selected={openId === call.call_id}
      data-place={place}
      className={`${classes.row} ${openId === call.call_id ? classes.open : ""}`}
      style={{ transform: `translateY(${top}px)` }}
      tabIndex={isCurrent ? 0 : -1}
      onFocus={() => onFocus(place)}
      onClick={() => onOpen(call.call_id)}
      onKeyDown={(event) => {
        if (event.key === "Enter" && event.target === event.currentTarget) onOpen(call.call_id);
      }}
    >
      <div role="gridcell" className={`${classes.cell} ${classes.inTime}`}>
        <Instant iso={call.accounted_at ?? call.received_at} />
      </div>
      <div role="gridcell" className={`${classes.cell} ${classes.inProvider}`}>
        <Provider
          provider={call.actual_provider_name}
          display={call.actual_provider_display}
          bucket={call.bucket}
          upstream={call.upstream_provider_name}
        />
      </div>
      <div role="gridcell" className={`${classes.cell} ${classes.inModel}`}>
        <Name>{call.label}</Name>
        {below && <Name minor>{below}</Name>}
      </div>
      <div role="gridcell" className={`${classes.cell} ${classes.inCustomer}`}>
        <Name>{call.customer ?? call.user}</Name>
        <Name minor>{who}</Name>
      </div>
      <div role="gridcell" className={`${classes.number} ${classes.inTokens}`}>
        <Tokens value={call.total_tokens} estimated={estimated} />
      </div>
      <div role="gridcell" className={`${classes.number} ${classes.inCost}`}>
        <Money usd={call.cost_now_usd} reason={call.unpriced_reason} estimated={estimated} />
      </div>
      <div role="gridcell" className={`${classes.cell} ${classes.inStatus}`}>
        <Outcome status={call.status} httpStatus={call.http_status} ending={call.ending} detail />
      </div>
      <div role="gridcell" className={`${classes.number} ${classes.inLatency}`}>
        <Latency ms={call.latency_ms} />
      </div>
      <div role="gridcell" className={`${classes.number} ${classes.inAttempts}`} tabIndex={-1}>
        {count(call.attempts)}
      </div>
    </div>
  );
});
