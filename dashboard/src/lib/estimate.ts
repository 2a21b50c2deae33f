/** Was what a call used estimated, and with it its cost? Then the figure bears a mark. */
interface Metered {
  usage_source: string | null;
  flags: readonly string[];
}

export function isEstimated({ usage_source, flags }: Metered): boolean {
  return usage_source === "estimated" || flags.includes("estimated");
}
