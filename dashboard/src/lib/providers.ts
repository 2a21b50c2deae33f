/** What is a provider called on the screen, and which colour does it keep everywhere? */

interface Look {
  name: string;
  color: string;
}

const KNOWN: Readonly<Record<string, Look>> = {
  google: { name: "Google", color: "#4285f4" },
  huggingface: { name: "HuggingFace", color: "#ffd21e" },
  wavespeed: { name: "WaveSpeed", color: "#06b6d4" },
  openai: { name: "OpenAI", color: "#10a37f" },
  anthropic: { name: "Anthropic", color: "#d97706" },
  stability: { name: "Stability AI", color: "#ec4899" },
  elevenlabs: { name: "ElevenLabs", color: "#6366f1" },
  replicate: { name: "Replicate", color: "#f43f5e" },
  openrouter: { name: "OpenRouter", color: "#8b5cf6" },
  xai: { name: "xAI", color: "#64748b" },
};

const NAMES: Readonly<Record<string, string>> = {
  aimlapi: "AIMLAPI",
  aws: "AWS Bedrock",
  azure: "Azure OpenAI",
  cohere: "Cohere",
  deepgram: "Deepgram",
  deepseek: "DeepSeek",
  fal: "fal",
  fireworks: "Fireworks",
  groq: "Groq",
  local: "Local",
  mistral: "Mistral",
  nebius: "Nebius",
  piapi: "PiAPI",
  sandbox: "Sandbox",
  together: "Together",
};

/** For providers without a colour of their own, in this order. */
const PALETTE = [
  "#0d9488",
  "#a16207",
  "#7c3aed",
  "#be185d",
  "#4d7c0f",
  "#1d4ed8",
  "#b45309",
  "#0e7490",
  "#9333ea",
  "#15803d",
];
const UNKNOWN_PROVIDER = "unknown";
/** A fill for charts, defined once by the frame: colour is never the only sign of not knowing. */
const UNKNOWN_FILL = "url(#unknown-hatch)";
const UNKNOWN_COLOR = "#868e96";

export function isUnknown(provider: string | null | undefined): boolean {
  return !provider || provider === UNKNOWN_PROVIDER;
}

/** The name that people know a provider by. */
export function providerName(provider: string | null | undefined): string {
  if (!provider || isUnknown(provider)) return "Unknown";
  const name = KNOWN[provider]?.name ?? NAMES[provider];
  return name ?? provider.charAt(0).toUpperCase() + provider.slice(1);
}

/** A provider's colour, the same on every page and every day. */
export function providerColor(provider: string | null | undefined): string {
  if (!provider || isUnknown(provider)) return UNKNOWN_COLOR;
  const known = KNOWN[provider];
  if (known) return known.color;
  let hash = 0;
  for (const letter of provider) hash = (hash * 31 + letter.charCodeAt(0)) >>> 0;
  return PALETTE[hash % PALETTE.length] ?? UNKNOWN_COLOR;
}

/** What a chart fills a provider's marks with. */
export function providerFill(provider: string | null | undefined): string {
  return isUnknown(provider) ? UNKNOWN_FILL : providerColor(provider);
}
