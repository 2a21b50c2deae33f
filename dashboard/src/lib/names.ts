/** Which words does the API know: for what is made, where it counts, and whom something binds? */
import type { Schemas } from "@/api/client";

/** What endpoints are asked for and models make. */
export const CATEGORIES = ["text", "image", "video", "audio", "embedding", "rerank"] as const;
export type Category = (typeof CATEGORIES)[number];

/** What a call may be of: a search is served by no model. */
export const CALL_CATEGORIES = [...CATEGORIES, "search"] as const;

export const BUCKETS = [
  ...["gemini", "openai", "anthropic", "mistral", "wavespeed", "stability", "image_edit"],
  ...["video", "audio", "tavily", "serper", "metaphor", "firecrawl", "exa"],
] as const satisfies readonly Schemas["Bucket"][];

/** Whom a budget binds and a wallet belongs to. */
export const SUBJECTS = ["user", "key", "project", "customer", "organisation"] as const;
