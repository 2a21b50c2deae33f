/** Which figures bear the mark of an estimate? */
import { expect, it } from "vitest";
import { isEstimated } from "./estimate";

it("is one whether the usage or a flag says so", () => {
  expect(isEstimated({ usage_source: "estimated", flags: [] })).toBe(true);
  expect(isEstimated({ usage_source: "drained", flags: ["estimated"] })).toBe(true);
  expect(isEstimated({ usage_source: "reported", flags: ["drained"] })).toBe(false);
  expect(isEstimated({ usage_source: null, flags: [] })).toBe(false);
});
