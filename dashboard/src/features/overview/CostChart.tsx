/** When was it spent, and with whom? Stacked by actual provider; with the time before, and ahead. */
import { Text } from "@mantine/core";
import { useNavigate } from "@tanstack/react-router";
import type { ReactElement } from "react";
import {
  Area,
  Bar,
  CartesianGrid,
  ComposedChart,
  Line,
  ResponsiveContainer,
  Tooltip,
  XAxis,
  YAxis,
} from "recharts";
import { money, percent } from "@/lib/format";
import { providerFill } from "@/lib/providers";
import { useRange } from "@/lib/range";
import { Spoken, Tip } from "./CostWords";
import { type Column, columnName, type Grain, OTHERS } from "./series";

interface CostChartProps {
  columns: readonly Column[];
  grain: Grain;
  height: number;
  /** What share of days the band is to hold; undefined: nothing is foretold. */
  confidence: number | undefined;
}

export default function CostChart(props: CostChartProps): ReactElement {
  const { columns, grain, height, confidence } = props;
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
            <Area
              dataKey={bandOf}
              stroke="none"
              fill="var(--mantine-color-anchor)"
              fillOpacity={0.16}
              pointerEvents="none"
              isAnimationActive={false}
              activeDot={false}
              type="linear"
            />
            <Line
              dataKey={expectedOf}
              stroke="var(--mantine-color-anchor)"
              strokeWidth={2}
              strokeDasharray="2 3"
              dot={false}
              activeDot={false}
              pointerEvents="none"
              isAnimationActive={false}
              type="linear"
            />
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
        - - - {previous.label}.{" "}
        {confidence !== undefined &&
          `· · · expected, in a pale band that is to hold ${percent(confidence)} of the days. `}
        A click on a bar opens its calls.
      </Text>
      <Spoken columns={columns} grain={grain} providers={providers} />
    </>
  );
}

// For heights alone; what is read is the text.
function expectedOf({ ahead }: Column): number | null {
  return ahead ? Number(ahead.expected) : null;
}

function bandOf({ ahead }: Column): [number, number] | null {
  return ahead && ahead.low !== null && ahead.high !== null
    ? [Number(ahead.low), Number(ahead.high)]
    : null;
}
