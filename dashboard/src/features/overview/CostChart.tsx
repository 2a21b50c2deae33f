/** When was it spent, and with whom? Stacked by actual provider; the time before as a thin line. */
import { Text } from "@mantine/core";
import { useNavigate } from "@tanstack/react-router";
import type { ReactElement } from "react";
import {
  Bar,
  CartesianGrid,
  ComposedChart,
  Line,
  ResponsiveContainer,
  Tooltip,
  XAxis,
  YAxis,
} from "recharts";
import { Money, ProviderDot } from "@/components/Figures";
import { counted, money } from "@/lib/format";
import { providerFill, providerName } from "@/lib/providers";
import { useRange } from "@/lib/range";
import classes from "./Overview.module.css";
import { type Column, columnName, type Grain, OTHERS } from "./series";

interface CostChartProps {
  columns: readonly Column[];
  grain: Grain;
  height: number;
}

export default function CostChart({ columns, grain, height }: CostChartProps): ReactElement {
  const navigate = useNavigate();
  const { previous } = useRange();
  const sums = new Map<string, number>();
  for (const { heights } of columns) {
    for (const [name, usd] of Object.entries(heights)) sums.set(name, (sums.get(name) ?? 0) + usd);
  }
  // The largest at the bottom, where it is easiest to compare.
  const providers = [...sums].sort((one, other) => other[1] - one[1]).map(([name]) => name);
  const open = (provider: string, column: Column | undefined): void => {
    if (!column) return;
    const search = {
      provider: provider === OTHERS ? undefined : provider,
      range: undefined,
      from: column.at,
      to: column.end,
    };
    void navigate({ to: "/logs", search });
  };
  return (
    <>
      <div aria-hidden="true">
        <ResponsiveContainer width="100%" height={height}>
          <ComposedChart
            accessibilityLayer={false}
            data={[...columns]}
            margin={{ top: 8, right: 8, bottom: 0, left: 0 }}
          >
            <CartesianGrid vertical={false} stroke="var(--frame-line)" />
            <XAxis
              dataKey="at"
              tickFormatter={(at: string) => columnName(at, grain)}
              tick={{ fontSize: 12, fill: "var(--mantine-color-dimmed)" }}
              tickLine={false}
              axisLine={{ stroke: "var(--frame-line)" }}
              minTickGap={24}
            />
            <YAxis
              width={72}
              tickFormatter={(usd: number) => money(usd)}
              tick={{ fontSize: 12, fill: "var(--mantine-color-dimmed)" }}
              tickLine={false}
              axisLine={false}
            />
            <Tooltip
              cursor={{ fill: "var(--hover)" }}
              isAnimationActive={false}
              content={({ payload }) => {
                const column = payload?.[0]?.payload as Column | undefined;
                return column ? (
                  <Tip column={column} grain={grain} before={previous.label} />
                ) : null;
              }}
            />
            {providers.map((provider) => (
              <Bar
                key={provider}
                dataKey={(column: Column) => column.heights[provider] ?? 0}
                name={provider}
                stackId="cost"
                fill={provider === OTHERS ? "#adb5bd" : providerFill(provider)}
                maxBarSize={56}
                isAnimationActive={false}
                cursor="pointer"
                onClick={(item) => open(provider, item.payload as Column | undefined)}
              />
            ))}
            <Line
              dataKey="before"
              stroke="var(--mantine-color-dimmed)"
              strokeWidth={1.5}
              strokeDasharray="4 3"
              dot={false}
              // What lies under it is what is clicked.
              pointerEvents="none"
              isAnimationActive={false}
              type="linear"
            />
          </ComposedChart>
        </ResponsiveContainer>
      </div>
      <Text size="xs" c="dimmed">
        - - - {previous.label}. A click on a bar opens its calls.
      </Text>
      <Spoken columns={columns} grain={grain} providers={providers} />
    </>
  );
}

/** The same as a table, for those who do not see the picture. */
function Spoken(props: {
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
          </tr>
        </thead>
        <tbody>
          {props.columns.slice(0, 100).map((column) => (
            <tr key={column.at}>
              <th scope="row">{columnName(column.at, props.grain)}</th>
              {props.providers.map((provider) => (
                <td key={provider}>{money(column.cost[provider] ?? "0")}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Tip(props: { column: Column; grain: Grain; before: string }): ReactElement {
  const { column, grain, before } = props;
  const lines = Object.entries(column.cost).sort(
    ([one], [other]) => (column.heights[other] ?? 0) - (column.heights[one] ?? 0),
  );
  return (
    <div className={classes.tip}>
      <Text size="xs" fw={600}>
        {columnName(column.at, grain)} · {counted(column.calls, "call")}
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
      {column.before !== null && (
        <div className={classes.tipLine}>
          <span>- - {before}</span>
          <span>{money(column.before)}</span>
        </div>
      )}
    </div>
  );
}
