/** Who really served, by which rule, and how sure is that? */
import { Text } from "@mantine/core";
import type { ReactElement } from "react";
import { Instant } from "@/components/Figures";
import { providerName } from "@/lib/providers";
import type { CallInFull } from "./call";
import { NotKept } from "./Stages";

export function AttributeStage({ call }: { call: CallInFull }): ReactElement {
  const { attribution, explanation, reattributions } = call;
  if (!attribution.provider) return <NotKept>Nobody served it.</NotKept>;
  const now = explanation.provider;
  return (
    <>
      <b>{providerName(attribution.provider)}</b>
      {attribution.upstream_provider && ` via ${attribution.upstream_provider}`} ·{" "}
      {attribution.confidence ?? "not rated"} · rule {attribution.rule_id ?? "none"}
      <details>
        <summary>evidence</summary>
        <Text size="sm">{attribution.evidence ?? "none was recorded"}</Text>
        <Text size="xs" c="dimmed" mt={4}>
          By the rules in force now ({explanation.rules_version}): {providerName(now)}, rule{" "}
          {explanation.rule_id}
          {now === attribution.provider ? "" : " – another than was recorded"}
        </Text>
        {explanation.matched.map((rule) => (
          <Text key={rule.rule_id} size="xs" c="dimmed">
            {rule.decided ? "→" : "·"} {rule.rule_id} ({rule.confidence}): {rule.words ?? ""}
            {rule.provider ? ` ⇒ ${providerName(rule.provider)}` : ""} {rule.note}
          </Text>
        ))}
      </details>
      {reattributions.map((one) => (
        <Text key={one.run_id} size="xs" c="dimmed">
          <Instant iso={one.run_started_at} />: {providerName(one.old.provider)} →{" "}
          {providerName(one.new.provider)} by {one.actor}
          {one.reverts_run_id ? " (a run taken back)" : ""}
        </Text>
      ))}
    </>
  );
}
