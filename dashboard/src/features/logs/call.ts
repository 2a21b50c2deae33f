/** What is one call made of, in short names? */
import type { Schemas } from "@/api/client";
import { perMany } from "@/lib/format";

export type CallInFull = Schemas["CallInFull"];
export type Attempt = Schemas["Attempt"];
export type Component = Schemas["Component"];

const UNITS: Readonly<Record<string, string>> = {
  input: "input tokens",
  output: "output tokens",
  cache_read: "cached input tokens",
  cache_write: "tokens written to the cache",
  reasoning: "reasoning tokens",
  audio_input: "audio input tokens",
  audio_output: "audio output tokens",
  image: "images",
  video_second: "video seconds",
  audio_second: "audio seconds",
  character: "characters",
};

/** A unit's name as one reads it: `1 image`, `2 images`. */
export function unitName(unit: string, quantity = 2): string {
  const many = UNITS[unit] ?? unit.replaceAll("_", " ");
  return quantity === 1 ? many.replace(/s$/, "") : many;
}

/** What a rate is for: `1M input tokens`, `image`. */
export function perText(component: Component): string {
  const { per, unit } = component;
  return per === 1 ? unitName(unit, 1) : `${perMany(per)} ${unitName(unit)}`;
}
