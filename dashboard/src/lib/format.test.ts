/** Is every figure written as the design says? */
import { describe, expect, it } from "vitest";
import {
  ago,
  bookDay,
  bookMonthName,
  count,
  counted,
  duration,
  money,
  percent,
  perMany,
  points,
  rate,
  short,
} from "./format";

/** A figure and its unit stay on one line: the space between is no plain one. */
const plain = (text: string): string => text.replace(/[\u00a0\u2009\u202f]/g, " ");

describe("money", () => {
  it("never rounds a cost to nothing", () => {
    expect(money("0.000000001")).toBe("$0.000000001000");
    expect(money("0.0005229")).toBe("$0.0005229");
  });
  it("writes nothing as zero, and unknown as unknown", () => {
    expect(money("0")).toBe("$0.00");
    for (const unknown of [null, undefined, "", "x"]) expect(money(unknown)).toBe("—");
  });
  it("has cents from a dollar on, and a real minus", () => {
    expect(money("1234.56")).toBe("$1,234.56");
    expect(money("-0.5")).toBe("−$0.5000");
  });
});

describe("counts", () => {
  it("are whole, or short", () => {
    expect(count(12480)).toBe("12,480");
    expect(plain(short(12_400))).toBe("12.4 k");
    expect(plain(short(999_999))).toBe("1.0 M");
  });
  it("agree with what is counted", () => {
    expect(counted(1, "call")).toBe("1 call");
    expect(counted(0, "call")).toBe("0 calls");
  });
  it("say how many a rate is for, and nothing of a single one", () => {
    expect([1, 1000, 1_000_000, 5_000_000].map(perMany)).toEqual(["", "1,000", "1M", "5M"]);
  });
});

describe("shares", () => {
  it("are whole only where they are so exactly", () => {
    expect(plain(percent(1))).toBe("100 %");
    expect(plain(percent(0.96))).toBe("96 %");
    expect(plain(percent(0.96, true))).toBe("96.0 %");
    expect(plain(percent(0.99999))).toBe("99.9 %");
    expect(percent(0.0000001)).toContain("<");
    expect(percent(null)).toBe("—");
  });
  it("differ by points, not by percent", () => expect(plain(points(-0.031))).toBe("3.1 points"));
});

describe("rates", () => {
  it("keep every digit that they have", () => {
    expect(rate("0.000002500")).toBe("$0.0000025");
    expect(rate("2.5")).toBe("$2.50");
    expect(rate(null)).toBe("—");
  });
});

describe("times", () => {
  it("are in ms under a second", () => {
    expect(plain(duration(412))).toBe("412 ms");
    expect(plain(duration(38_200))).toBe("38.2 s");
    expect(duration(null)).toBe("—");
  });
  it("of the books are days of UTC, wherever the reader is", () => {
    expect(bookDay("2026-11-21T00:00:00Z")).toBe("21 Nov");
    expect(bookMonthName("2026-11")).toBe("November 2026");
  });
  it("tell what is ahead from what was", () => {
    const now = new Date("2026-11-22T12:00:00Z");
    expect(ago("2026-11-22T11:56:00Z", now)).toBe("4 min ago");
    expect(ago("2026-11-22T12:04:00Z", now)).toBe("in 4 min");
  });
});
