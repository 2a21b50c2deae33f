/** Whom should calls of a category go to, and why? */
import { List, Text } from "@mantine/core";
import type { ReactElement } from "react";
import { Money, ProviderDot } from "@/components/Figures";
import { Lines, Panel, StateOf } from "@/components/States";
import { words } from "@/lib/format";
import { providerName } from "@/lib/providers";
import { type Category, useRecommended } from "./query";

export function Recommended({ category }: { category: Category }): ReactElement {
  const found = useRecommended(category);
  return (
    <Panel title={`Recommended for ${words(category)}`}>
      <StateOf query={found} loading={<Lines count={2} />}>
        {({ recommended, reason, ranking, advice }) => (
          <>
            <Text size="sm">
              {recommended ? (
                <>
                  <ProviderDot provider={recommended} /> <b>{providerName(recommended)}</b>
                  {reason ? `: ${reason}` : ""}
                </>
              ) : (
                (reason ?? "There are too few calls to recommend anybody.")
              )}
            </Text>
            {ranking
              .filter((one) => one.why_not.length > 0)
              .map((one) => (
                <Text key={`${one.provider}-${one.model}`} size="xs" c="dimmed">
                  not {providerName(one.provider)}: {one.why_not.join("; ")}
                </Text>
              ))}
            {advice.length > 0 && (
              <List size="sm" mt="xs">
                {advice.map((one) => (
                  <List.Item key={`${one.kind}-${one.provider}-${one.model}`}>
                    {one.text}
                    {one.saving_usd && (
                      <>
                        {" "}
                        (≈ <Money usd={one.saving_usd} /> less in this time)
                      </>
                    )}
                  </List.Item>
                ))}
              </List>
            )}
          </>
        )}
      </StateOf>
    </Panel>
  );
}
