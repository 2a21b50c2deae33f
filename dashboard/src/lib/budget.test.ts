/** What does a budget say of what is to come? */
import { describe, expect, it } from "vitest";
import { amountOf, type Budget, isUsedUp, outlookOf } from "./budget";

type Outlook = NonNullable<Parameters<typeof outlookOf>[1]>;

function budget(changed: Partial<Budget>): Budget {
  const made = { kind: "money", limit: "10", spent: "1", held: "0", left: "9", enabled: true };
  const period = { period_start: "2026-11-01T00:00:00Z", resets_at: "2026-12-01T00:00:00Z" };
  return { ...made, ...period, ...changed } as Budget;
}

function outlook(expected: string | null, earliest: string | null, latest: string | null) {
  return { used_up: { already: false, expected, earliest, latest } } as Outlook;
}

describe("outlook", () => {
  it("is an estimate with its band, and bears its mark", () => {
    const found = outlook("2026-11-24", "2026-11-22", "2026-11-29");
    expect(outlookOf(budget({}), found)).toMatch(
      /^≈ runs out on 24 Nov \(22 Nov – 29 Nov\); resets/,
    );
  });
  it("says where it may last after all, and where it does", () => {
    const may = outlook("2026-11-24", "2026-11-22", null);
    expect(outlookOf(budget({}), may)).toContain("(from 22 Nov, if at all)");
    expect(outlookOf(budget({}), outlook(null, null, null))).toMatch(/^≈ lasts; resets/);
  });
  it("foretells nothing where nothing is known of it", () => {
    expect(outlookOf(budget({}), undefined)).toMatch(/^resets on/);
    expect(outlookOf(budget({ resets_at: null }), { used_up: null } as Outlook)).toBe(
      "never resets",
    );
  });
  it("says what is used up, switched off, or nothing from the start", () => {
    expect(outlookOf(budget({ spent: "10" }), undefined)).toMatch(/^used up/);
    expect(outlookOf(budget({ enabled: false }), undefined)).toMatch(/^switched off/);
    expect(outlookOf(budget({ limit: "0", spent: "0" }), undefined)).toBe("none is allowed");
  });
});

it("is used up at its limit, not only beyond it", () => {
  expect(isUsedUp(budget({ spent: "10" }))).toBe(true);
  expect(isUsedUp(budget({ spent: "9.999999999" }))).toBe(false);
});

it("counts in its own unit", () => {
  expect(amountOf("money", "12.4")).toBe("$12.40");
  expect(amountOf("videos", "3")).toBe("3 films");
});
