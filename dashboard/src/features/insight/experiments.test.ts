/** Is what an experiment has found said as it is? */
import { describe, expect, test } from "vitest";
import { armsOf, armsSent, nameFrom } from "./arms";
import {
  type ArmResult,
  changeWords,
  measureOf,
  type Result,
  type Route,
  reachOf,
  verdictOf,
} from "./experiments";

const none = { mean: "1", difference: null };

function arm(name: string, cost: string, difference: ArmResult["success"]["difference"]) {
  const cost_per_call_usd = { mean: cost, difference };
  return { name, subjects: 20, calls: 90, cost_per_call_usd, latency_ms: none, success: none };
}

function result(best: string | null, reason: string | null): Result {
  const sure = { value: "-0.002", low: "-0.003", high: "-0.001", sure: true };
  return {
    experiment: { objective: "cost", running: true },
    arms: [arm("now", "0.004", null), arm("other", "0.002", sure)],
    best,
    reason,
  } as unknown as Result;
}

describe("what an experiment says", () => {
  test("a better arm is said with how much and between which bounds", () => {
    const { tone, title, text } = verdictOf(result("other", null));
    expect([tone, title]).toEqual(["good", "other is surely better than now by cost"]);
    expect(text.replace(/\s/g, " ")).toBe("50 % less; between 75 % less and 25 % less.");
  });

  test("that nothing is sure is said with the reason, and to go on while it runs", () => {
    const { tone, text } = verdictOf(result(null, "no difference is sure yet"));
    expect([tone, text]).toEqual(["open", "No difference is sure yet. Let it run on."]);
  });

  test("where the others are worse the route stays", () => {
    expect(verdictOf(result("now", null)).text).toContain("leave the route as it is");
  });

  test("without bounds it is said that they are not known", () => {
    const found = { value: "0.001", low: null, high: null, sure: false };
    const said = changeWords(measureOf("cost"), found, 0.004).replace(/\s/g, " ");
    expect(said).toBe("25 % more; how sure is not known yet");
  });

  test("all arms are drawn on the axis of the widest", () => {
    expect(reachOf(result(null, null).arms, measureOf("cost"))).toBe(0.003);
  });
});

describe("the arms of a route", () => {
  const route = {
    candidates: [
      { endpoint: "b", model: "m, 2", priority: 2 },
      { endpoint: "a", model: "m 1", priority: 1 },
      { endpoint: "b", model: "m=3", priority: 3 },
    ],
  } as unknown as Route;

  test("stand in the order in which they are asked, each with a name that a label can bear", () => {
    expect(armsOf(route).map((one) => one.name)).toEqual(["a", "m-2", "m-3"]);
    expect(nameFrom("x".repeat(99))).toHaveLength(64);
  });

  test("that take no part are not sent", () => {
    const [first, ...others] = armsOf(route);
    const sent = armsSent([{ ...first, isIn: false } as never, ...others]);
    expect(sent).toEqual([
      { name: "m-2", endpoint: "b", model: "m, 2", weight: 1 },
      { name: "m-3", endpoint: "b", model: "m=3", weight: 1 },
    ]);
  });
});
