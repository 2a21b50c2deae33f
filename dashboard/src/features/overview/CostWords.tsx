/** What does the cost chart say in words: below the pointer, and to those who do not see it? */
import { Text } from "@mantine/core";
import type { ReactElement } from "react";
import { Money, ProviderDot } from "@/components/Figures";
import { counted, money } from "@/lib/format";
import { providerName } from "@/lib/providers";
import classes from "./Overview.module.css";
import { type Ahead, type Column, columnName, type Grain, OTHERS } from "./series";

/** The same as a table, for those who do not see the picture. */
export function Spoken(props: {
  columns: readonly Column[];
  grain: Grain;
  providers: readonly string[];
}): ReactElement {
  return (
    <div className="visually-hidden">
      <table>
        <caption>Cost by provider over time</caption>
        <thead>
          <tr>
            <th scope="col">{props.grain}</th>
            {props.providers.map((provider) => (
              <th key={provider} scope="col">
                {providerName(provider)}
              </th>
            ))}
            <th scope="col">expected</th>
          </tr>
        </thead>
        <tbody>
          {props.columns.slice(0, 100).map((column) => (
            <tr key={column.at}>
              <th scope="row">{columnName(column.at, props.grain)}</th>
              {props.providers.map((provider) => (
                <td key={provider}>
                  {provider in column.cost ? money(column.cost[provider]) : money("0")}
                </td>
              ))}
              <td>{column.ahead ? expectedText(column.ahead) : ""}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function Tip(props: { column: Column; grain: Grain; before: string }): ReactElement {
  const { column, grain, before } = props;
  const lines = Object.entries(column.cost).sort(
    ([one], [other]) => (column.heights[other] ?? 0) - (column.heights[one] ?? 0),
  );
  return (
    <div className={classes.tip}>
      <Text size="xs" fw={600}>
        {columnName(column.at, grain)} ·{" "}
        {column.ahead?.isToCome ? "to come" : counted(column.calls, "call")}
      </Text>
      {lines.map(([provider, usd]) => (
        <div key={provider} className={classes.tipLine}>
          <ProviderDot provider={provider} />
          <span>{provider === OTHERS ? "Others" : providerName(provider)}</span>
          <span>
            <Money usd={usd} />
          </span>
        </div>
      ))}
      {column.ahead && (
        <div className={classes.tipLine}>
          <span>expected</span>
          <span>{expectedText(column.ahead)}</span>
        </div>
      )}
      {column.before !== null && (
        <div className={classes.tipLine}>
          <span>- - {before}</span>
          <span>{money(column.before)}</span>
        </div>
      )}
    </div>
  );
}

function expectedText({ expected, low, high }: Ahead): string {
  const band = low === null || high === null ? "" : ` (${money(low)} – ${money(high)})`;
  return `≈ ${money(expected)}${band}`;
}
