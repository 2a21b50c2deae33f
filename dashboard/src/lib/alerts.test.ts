/** What does an alert say? */
import { describe, expect, it } from "vitest";
import { type Alert, alertText } from "./alerts";

const told = (changes: Partial<Alert>): string =>
  alertText({
    source: "budget",
    kind: "money",
    used: "61.68199335",
    limit_amount: "75",
    period_end: null,
    subject: "project:media",
    ...changes,
  } as Alert);

describe("alertText", () => {
  it("writes amounts as everywhere else", () => {
    expect(told({})).toBe("$61.68 of $75.00 are used, for project:media.");
    expect(told({ kind: "videos", used: "202", limit_amount: "400" })).toContain(
      "202 films of 400 films",
    );
  });
  it("says what is left of a wallet, exactly", () => {
    const wallet = { source: "wallet", kind: "credits", used: "0.1", limit_amount: "0.3" };
    expect(told(wallet)).toBe("0.2 credits of 0.3 credits are left since the last top-up.");
    expect(told({ ...wallet, used: "-1" })).toContain("1.3 credits of");
  });
  it("says when a grant expires", () => {
    expect(told({ source: "grant", period_end: "2031-01-01T00:00:00Z" })).toContain(
      "of a grant that expires",
    );
  });
});
