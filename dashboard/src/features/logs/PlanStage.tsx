/** Which candidates stood in the plan, why, and what did each that was asked say? */
import { Text } from "@mantine/core";
import type { ReactElement } from "react";
import { duration, words } from "@/lib/format";
import { providerName } from "@/lib/providers";
import type { Attempt, CallInFull } from "./call";
import { NotKept } from "./Stages";

export function PlanStage({ call }: { call: CallInFull }): ReactElement {
  if (call.planned === null) return <NotKept>The evidence is past its time; not known.</NotKept>;
  if (call.planned.length === 0) {
    return <NotKept>Nobody was planned here: another gateway reported this call.</NotKept>;
  }
  const planned = call.planned.map((line) => {
    const [candidate = line, ...reason] = line.split(": ");
    return { candidate, reason: reason.join(": ") };
  });
  const first = call.expected_provider;
  const moved = first && call.actual_provider_name && first !== call.actual_provider_name;
  return (
    <>
      {planned.map(({ candidate }, place) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a candidate may stand in a plan twice
        <span key={place}>
          {place > 0 && " "}
          <b>{place + 1}</b> <bdi>{candidate}</bdi>
        </span>
      ))}
      <details>
        <summary>why</summary>
        {planned.map(({ candidate, reason }, place) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: as above
          <Text key={place} size="xs" c="dimmed">
            {place + 1} <bdi>{candidate}</bdi>: {reason || "no reason was recorded"}
          </Text>
        ))}
      </details>
      {moved && (
        <Text size="xs" c="dimmed">
          expected {providerName(first)}, served by {providerName(call.actual_provider_name)}
        </Text>
      )}
    </>
  );
}

export function RelayStage({ call }: { call: CallInFull }): ReactElement {
  if (call.attempt_list.length === 0) {
    return (
      <NotKept>
        No provider was asked.
        {call.error_message ? ` ${call.error_message}` : ""}
      </NotKept>
    );
  }
  return (
    <>
      {call.attempt_list.map((attempt) => (
        <OneAttempt key={attempt.number} attempt={attempt} />
      ))}
      {call.ending && call.ending !== "complete" && (
        <Text size="xs" c="dimmed">
          ending: {words(call.ending)}
        </Text>
      )}
    </>
  );
}

function OneAttempt({ attempt }: { attempt: Attempt }): ReactElement {
  const good = attempt.outcome === "succeeded";
  const status = attempt.http_status ?? words(attempt.error_class ?? attempt.outcome);
  const first = attempt.first_byte_ms;
  return (
    <div>
      attempt {attempt.number} <b>{attempt.endpoint}</b>{" "}
      <Text component="span" size="sm" c={good ? "var(--good)" : "var(--bad)"}>
        <span aria-hidden="true">{good ? "✔" : "✕"}</span> {good ? "served" : status}
      </Text>{" "}
      after {duration(attempt.latency_ms)}
      {good && first !== null && `, first byte after ${duration(first)}`}
      <Text size="xs" c="dimmed">
        <bdi>{attempt.model}</bdi>
        {attempt.served_model && attempt.served_model !== attempt.model && (
          <>
            {" "}
            → <bdi>{attempt.served_model}</bdi>
          </>
        )}
        {!good && attempt.message ? ` · ${attempt.message}` : ""}
      </Text>
    </div>
  );
}
