/** How has a price moved? A step at each date, the line broken where it is only to come. */
import { useComputedColorScheme } from "@mantine/core";
import type { ReactElement } from "react";
import {
  CartesianGrid,
  Line,
  LineChart,
  ReferenceLine,
  ResponsiveContainer,
  Tooltip,
  XAxis,
  YAxis,
} from "recharts";
import { day, money, rate } from "@/lib/format";
import { counts, inForce } from "./prices";
import type { Price } from "./queries";

const COLORS = ["#0891b2", "#d97706", "#7c3aed", "#be185d", "#15803d", "#64748b"];
const DAY_MS = 86_400_000;
const HEIGHT_PX = 200;

interface Point {
  at: number;
  /** By subject, for lengths alone; what is read is the text of `rates`. */
  heights: Record<string, number>;
  rates: Record<string, string>;
}

/** One point per date at which any of the prices changes, and the two ends. */
function points(subjects: ReadonlyMap<string, Price[]>, now: number): Point[] {
  const all = [...subjects.values()].flat().filter(counts);
  const dates = all
    .flatMap((one) => [Date.parse(one.valid_from), one.valid_to ? Date.parse(one.valid_to) : 0])
    .filter((at) => at > 0);
  const first = Math.min(now - 30 * DAY_MS, ...dates.map((at) => at - 7 * DAY_MS));
  const last = Math.max(now + 7 * DAY_MS, ...dates.map((at) => at + 7 * DAY_MS));
  const stops = [...new Set([first, ...dates, now, last])].sort((a, b) => a - b);
  return stops.map((at) => {
    const point: Point = { at, heights: {}, rates: {} };
    for (const [subject, versions] of subjects) {
      const price = inForce(versions, at)?.rate_usd;
      if (price === null || price === undefined) continue;
      point.heights[subject] = Number(price);
      point.rates[subject] = price;
    }
    return point;
  });
}

export function PriceChart({ subjects }: { subjects: ReadonlyMap<string, Price[]> }): ReactElement {
  const isDark = useComputedColorScheme("light") === "dark";
  const now = Date.now();
  const line = isDark ? "#4b5157" : "#dee2e6";
  const ink = { fill: isDark ? "#a6acb3" : "#5c636a", fontSize: 12 };
  return (
    <figure style={{ margin: 0 }} aria-label="Prices over time">
      <ResponsiveContainer width="100%" height={HEIGHT_PX}>
        <LineChart data={points(subjects, now)} margin={{ top: 16, right: 12, bottom: 0, left: 0 }}>
          <CartesianGrid stroke={line} vertical={false} />
          <XAxis
            dataKey="at"
            type="number"
            scale="time"
            domain={["dataMin", "dataMax"]}
            tick={ink}
            stroke={line}
            minTickGap={40}
            tickFormatter={(at: number) => day(new Date(at).toISOString())}
          />
          <YAxis
            tick={ink}
            stroke={line}
            width={72}
            domain={[0, "auto"]}
            tickFormatter={(usd: number) => money(usd)}
          />
          <Tooltip
            formatter={(_height, subject, { payload }) => {
              const { rates } = payload as Point;
              return [rate(rates[String(subject)]), String(subject)];
            }}
            labelFormatter={(at) => `from ${day(new Date(Number(at)).toISOString())}`}
            contentStyle={{
              background: "var(--panel)",
              border: "1px solid var(--frame-line)",
              borderRadius: 4,
              fontSize: 13,
            }}
          />
          <ReferenceLine
            x={now}
            stroke={ink.fill}
            strokeDasharray="3 3"
            label={{ value: "now", position: "top", ...ink }}
          />
          {[...subjects.keys()].map((subject, place) => (
            <Line
              key={subject}
              name={subject}
              dataKey={(point: Point) => point.heights[subject] ?? null}
              type="stepAfter"
              stroke={COLORS[place % COLORS.length]}
              strokeWidth={2}
              strokeDasharray={place >= COLORS.length ? "6 3" : undefined}
              dot={false}
              isAnimationActive={false}
            />
          ))}
        </LineChart>
      </ResponsiveContainer>
    </figure>
  );
}

/** The colour of a subject's line, for the table beside it. */
export function colorOf(place: number): string {
  return COLORS[place % COLORS.length] ?? "#64748b";
}
