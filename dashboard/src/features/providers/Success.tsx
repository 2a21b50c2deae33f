/** How often does a provider answer well? At 90 % and above it is good, at 70 % it is passable. */
import { Text } from "@mantine/core";
import type { ReactElement } from "react";
import { Hint } from "@/components/Figures";
import { count, percent, UNKNOWN, words } from "@/lib/format";
import type { ProviderView } from "./query";

const GOOD = 0.9;
const PASSABLE = 0.7;

export function Success({ provider }: { provider: ProviderView }): ReactElement {
  const rate = provider.attempt_success_rate;
  if (rate === null) return <>{UNKNOWN}</>;
  const [sign, color] =
    rate >= GOOD
      ? ["✔", "var(--good)"]
      : rate >= PASSABLE
        ? ["!", "var(--warn)"]
        : ["✕", "var(--bad)"];
  const attempts = provider.attempts ?? 0;
  const between = provider.success_interval;
  const label = (
    <>
      {count(attempts - (provider.attempts_failed ?? 0))} of {count(attempts)} attempts
      {between && `; with 95 % confidence ${percent(between[0])} to ${percent(between[1])}`}
      {provider.errors.map((one) => (
        <div key={`${one.outcome}-${one.error_class}-${one.http_status}`}>
          {count(one.attempts)} × {words(one.error_class ?? one.outcome)} {one.http_status ?? ""}
        </div>
      ))}
    </>
  );
  return (
    <Hint label={label}>
      <Text component="span" size="sm" c={color} fw={600} className="tabular">
        <span aria-hidden="true">{sign}</span> {percent(rate, true)}
      </Text>
    </Hint>
  );
}
