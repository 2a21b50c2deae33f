/** Which endpoint is asked first after a recommendation, if any can be? */
import { describe, expect, it } from "vitest";
import type { Endpoint } from "@/lib/endpoints";
import { firstOf } from "./apply";

function endpoint(changed: Partial<Endpoint>): Endpoint {
  const made = {
    ...{ name: "a", provider: "openai", priority: 10, category_priority: {}, source: "api" },
    ...{ enabled: true, has_key: true, withdrawn_at: null, disabled_categories: [] },
    ...{ default_models: { text: "gpt" }, models: {} },
  };
  return { ...made, ...changed } as unknown as Endpoint;
}
const other = endpoint({ name: "b", provider: "anthropic", priority: 5 });

describe("the endpoint that is asked first", () => {
  it("comes before all others", () => {
    const found = firstOf([endpoint({}), other], "openai", "text");
    expect(found).toEqual({ endpoint: "a", before: 10, after: 4 });
  });
  it("has a key: without one it would never be asked", () => {
    const found = firstOf([endpoint({ has_key: false }), other], "openai", "text");
    expect(found).toBe("No endpoint of OpenAI has a key for text.");
  });
  it("is not compared with one that has no key", () => {
    const mute = endpoint({ name: "c", provider: "google", priority: 1, has_key: false });
    expect(firstOf([other, mute], "anthropic", "text")).toContain("asked first already");
  });
  it("is not switched off for the category", () => {
    const off = endpoint({ disabled_categories: ["text"] });
    expect(firstOf([off, other], "openai", "text")).toContain("is enabled");
  });
});
