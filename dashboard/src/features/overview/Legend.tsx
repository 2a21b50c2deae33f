/** Whose cost is shown? The legend is the filter: one provider, or all. */
import { Group, UnstyledButton } from "@mantine/core";
import type { ReactElement } from "react";
import type { Schemas } from "@/api/client";
import { Money, ProviderDot } from "@/components/Figures";
import { providerName } from "@/lib/providers";
import classes from "./Overview.module.css";

interface LegendProps {
  providers: readonly Schemas["NamedSums"][];
  chosen: string | undefined;
  onChoose: (provider: string | undefined) => void;
}

export function Legend({ providers, chosen, onChoose }: LegendProps): ReactElement {
  return (
    <Group gap={4} mb="sm" role="group" aria-label="Providers shown">
      {providers.map(({ name, cost_usd, estimated }) => {
        const provider = name ?? "unknown";
        const isOn = chosen === provider;
        return (
          <UnstyledButton
            key={provider}
            className={classes.legend}
            aria-pressed={isOn}
            data-off={chosen !== undefined && !isOn}
            onClick={() => onChoose(isOn ? undefined : provider)}
          >
            <ProviderDot provider={provider} /> {providerName(provider)}{" "}
            <span className={classes.legendCost}>
              <Money usd={cost_usd} estimated={estimated > 0} />
            </span>
          </UnstyledButton>
        );
      })}
    </Group>
  );
}
