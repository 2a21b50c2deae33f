/** How did a call travel? Its stages bear the names that they have in the program. */
import { Text } from "@mantine/core";
import type { ReactElement, ReactNode } from "react";
import { Instant, Money } from "@/components/Figures";
import { amountOf } from "@/lib/budget";
import { isEstimated } from "@/lib/estimate";
import { count, words } from "@/lib/format";
import { AttributeStage } from "./AttributeStage";
import { AuthenticateStage } from "./AuthenticateStage";
import { type CallInFull, unitName } from "./call";
import classes from "./Logs.module.css";
import { PlanStage, RelayStage } from "./PlanStage";
import { RateStage } from "./RateStage";

export function Stages({ call }: { call: CallInFull }): ReactElement {
  return (
    <section aria-label="Stages of the call">
      <Stage name="authenticate">
        <AuthenticateStage call={call} />
      </Stage>
      <Stage name="plan">
        <PlanStage call={call} />
      </Stage>
      <Stage name="reserve">
        <Reserved call={call} />
      </Stage>
      <Stage name="relay">
        <RelayStage call={call} />
      </Stage>
      <Stage name="meter">
        <Metered call={call} />
      </Stage>
      <Stage name="attribute">
        <AttributeStage call={call} />
      </Stage>
      <Stage name="rate">
        <RateStage call={call} />
      </Stage>
      <Stage name="settle">
        <Settled call={call} />
      </Stage>
    </section>
  );
}

function Stage({ name, children }: { name: string; children: ReactNode }): ReactElement {
  return (
    <div className={classes.stage}>
      <div className={classes.stageName}>{name}</div>
      <div style={{ minWidth: 0, overflowWrap: "anywhere" }}>{children}</div>
    </div>
  );
}

/** What is not known of a stage, and why. */
export function NotKept({ children }: { children: ReactNode }): ReactElement {
  return (
    <Text size="sm" c="dimmed">
      {children}
    </Text>
  );
}

function Reserved({ call }: { call: CallInFull }): ReactElement {
  if (call.holds === null) return <NotKept>The evidence is past its time; not known.</NotKept>;
  if (call.holds.length === 0) return <NotKept>No hard limit applied: nothing was held.</NotKept>;
  return (
    <>
      {call.holds.map((hold) => (
        <div key={`${hold.lease_id}-${hold.budget_id}`}>
          {hold.amount_usd === null ? (
            amountOf(hold.kind, hold.amount)
          ) : (
            <Money usd={hold.amount_usd} />
          )}{" "}
          of{" "}
          <b title={hold.budget_id}>{hold.budget_name ?? `${hold.budget_id}, which is no more`}</b>{" "}
          <Text component="span" size="xs" c="dimmed">
            period from <Instant iso={hold.period_start} />
          </Text>
        </div>
      ))}
    </>
  );
}

function Metered({ call }: { call: CallInFull }): ReactElement {
  const units = Object.entries(call.usage).filter(([, quantity]) => quantity > 0);
  const source = call.usage_source ?? "none";
  return (
    <>
      {units.length === 0 ? (
        <NotKept>No usage is known.</NotKept>
      ) : (
        units
          .map(([unit, quantity]) => `${count(quantity)} ${unitName(unit, quantity)}`)
          .join(" · ")
      )}
      <Text size="xs" c="dimmed">
        {source === "estimated" ? "≈ estimated: the provider told no usage" : source}
      </Text>
    </>
  );
}

function Settled({ call }: { call: CallInFull }): ReactElement {
  if (call.status === "PROCESSING") return <NotKept>Not yet: the call is under way.</NotKept>;
  const held = (call.holds ?? []).length > 0;
  return (
    <>
      {call.charge_now_usd === null ? (
        "Nothing charged: the cost is not known"
      ) : (
        <>
          charged <Money usd={call.charge_now_usd} estimated={isEstimated(call)} />
        </>
      )}
      {held && " · hold released"}
      {call.billing_period && (
        <Text size="xs" c="dimmed">
          billing period {call.billing_period}
        </Text>
      )}
      {call.flags.length > 0 && (
        <Text size="xs" c="dimmed">
          flags: {call.flags.map(words).join(", ")}
        </Text>
      )}
    </>
  );
}
