/** Whom should calls of a category go to, and why? */
import { List, Text } from "@mantine/core";
import type { ReactElement } from "react";
import { ProviderDot } from "@/components/Figures";
import { Saving } from "@/components/Saving";
import { Lines, Panel, StateOf } from "@/components/States";
import { words } from "@/lib/format";
import { sentence, useRecommendations } from "@/lib/insight";
import type { Category } from "@/lib/names";
import { providerName } from "@/lib/providers";

export function Recommended({ category }: { category: Category }): ReactElement {
  const found = useRecommendations(category);
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
                    {sentence(one.text)}
                    {one.saving_usd !== null && (
                      <>
                        {" "}
                        <Saving usd={one.saving_usd} notes={one.notes} estimated /> in this time.
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
