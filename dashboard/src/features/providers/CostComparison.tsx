/** What does one good answer cost at each provider, with what failed on the way to it? */
import { Text } from "@mantine/core";
import type { ReactElement } from "react";
import { type Bar, Bars } from "@/components/Bars";
import { Money } from "@/components/Figures";
import { Empty } from "@/components/States";
import { counted, words } from "@/lib/format";
import { providerColor, providerName } from "@/lib/providers";
import type { ProviderView } from "./query";

export function CostComparison({ rows }: { rows: readonly ProviderView[] }): ReactElement {
  const asked = rows.filter((row) => (row.attempts ?? 0) > 0);
  if (asked.length === 0) return <Empty says="Nobody was asked in this time." />;
  const categories = [...new Set(asked.map((row) => row.category))];
  return (
    <>
      {categories.map((category) => {
        // Compared within a category only: a film is no text.
        const own = asked
          .filter((row) => row.category === category)
          .sort((one, other) => usdOf(one) - usdOf(other));
        const most = Math.max(...own.map((row) => (row.cost_per_success_usd ? usdOf(row) : 0)));
        const bars = own.map(
          (row): Bar => ({
            key: row.provider,
            name: (
              <>
                {providerName(row.provider)}{" "}
                <Text component="span" size="xs" c="dimmed">
                  {counted(row.calls, "call")}
                </Text>
              </>
            ),
            figure: <Money usd={row.cost_per_success_usd} reason="some have no price" />,
            share: row.cost_per_success_usd && most > 0 ? usdOf(row) / most : null,
            color: providerColor(row.provider),
          }),
        );
        return (
          <section key={category} aria-label={`Cost in ${category}`}>
            <Text size="xs" c="dimmed" mt="xs">
              {words(category)}; the share is of the dearest
            </Text>
            <Bars bars={bars} label={`Cost of a ${category} answer by provider`} />
          </section>
        );
      })}
    </>
  );
}

/** For order and lengths alone; what is read is the exact text. */
function usdOf(row: ProviderView): number {
  return Number(row.cost_per_success_usd ?? Number.POSITIVE_INFINITY);
}
