/** Do the columns of the cost chart keep what is not known apart from what is nothing? */
import { describe, expect, it } from "vitest";
import { columnsOf, costsBefore, type OverviewView, withForecast } from "./series";

const FROM = "2026-11-01T00:00:00Z";
const TO = "2026-11-04T00:00:00Z";

function overview(series: object[]): OverviewView {
  return { grain: "day", span: { from: FROM, to: TO }, series } as unknown as OverviewView;
}
const point = (at: string, provider: string, cost_usd: string | null) => ({
  ...{ at, provider, cost_usd, calls: 2 },
});

describe("columns", () => {
  it("have no gaps", () => {
    const columns = columnsOf(overview([point("2026-11-03", "openai", "1.5")]), []);
    expect(columns.map(({ at }) => at.slice(0, 10))).toEqual([
      "2026-11-01",
      "2026-11-02",
      "2026-11-03",
    ]);
    expect(columns[2]).toMatchObject({ cost: { openai: "1.5" }, calls: 2 });
  });
  it("keep a cost that is not known as null", () => {
    const [, second] = columnsOf(overview([point("2026-11-02", "openai", null)]), []);
    expect(second?.cost).toEqual({ openai: null });
    expect(second?.calls).toBe(2);
  });
});

describe("the time before", () => {
  const group = (day: string, cost_usd: string | null) => ({ group: { day }, cost_usd });
  it("cost nothing without calls, and nobody knows what where no call had a price", () => {
    const groups = [group("2026-11-01", null), group("2026-11-03", "2.5")];
    expect(costsBefore(groups, "day", FROM, TO)).toEqual([null, "0", "2.5"]);
  });
  it("leaves the line broken where it is not known", () => {
    const [first, second] = columnsOf(overview([]), [null, "0"]);
    expect([first?.before, second?.before]).toEqual([null, 0]);
  });
});

describe("the forecast", () => {
  const ahead = (day: string, expected: string) => ({ day, expected, low: "0", high: "9" });
  it("goes on behind the columns, and today is both", () => {
    const columns = columnsOf(overview([point("2026-11-03", "openai", "1.5")]), []);
    const points = [ahead("2026-11-03", "2"), ahead("2026-11-04", "3")];
    const [, , today, tomorrow, ...none] = withForecast(columns, points);
    expect(none).toEqual([]);
    expect(today).toMatchObject({ cost: { openai: "1.5" }, ahead: { expected: "2" } });
    expect(today?.ahead?.isToCome).toBe(false);
    expect(tomorrow).toMatchObject({ cost: {}, ahead: { expected: "3", isToCome: true } });
    expect(tomorrow?.at).toBe("2026-11-04T00:00:00.000Z");
  });
  it("says nothing of days that are past", () => {
    const columns = columnsOf(overview([]), []);
    const [first] = withForecast(columns, [ahead("2026-11-01", "2")]);
    expect(first?.ahead).toBeUndefined();
  });
});
