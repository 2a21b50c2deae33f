/** Does decimal text stay exact? */
import { describe, expect, it } from "vitest";
import { countOf, sum, thousandfold } from "./decimal";

describe("sum", () => {
  it("is exact where binary numbers are not", () => {
    expect(sum("0.1", "0.2")).toBe("0.3");
    expect(sum("9007199254740993", "0.000000001")).toBe("9007199254740993.000000001");
  });
  it("knows a minus, and leaves out what is nothing behind the point", () => {
    expect(sum("-1.50", "0.25")).toBe("-1.25");
    expect(sum("1.50", "-1.5")).toBe("0");
    expect(sum("0.000000", "0")).toBe("0");
  });
  it("of nothing is nothing", () => expect(sum()).toBe("0"));
  it("refuses what is no decimal number", () => expect(() => sum("1e3")).toThrow(RangeError));
});

describe("thousandfold", () => {
  it("moves the point", () => {
    expect(Number(thousandfold("0.0005229"))).toBe(0.5229);
    expect(thousandfold("0.000000001")).toBe("0000.000001");
    expect(thousandfold("2")).toBe("2000");
  });
});

describe("countOf", () => {
  it("takes a whole number as a number", () => expect(countOf(" 150 ")).toBe(150));
  it("leaves what is none as it was typed, so that it never becomes null", () => {
    for (const typed of ["1,000", "", "1.5", "many", "9007199254740993"]) {
      expect(JSON.parse(JSON.stringify({ typed: countOf(typed) })).typed).toBe(typed);
    }
  });
});
