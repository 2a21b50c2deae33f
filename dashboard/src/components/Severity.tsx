/** How urgent is it? A sign and a colour, and the word for whoever sees neither. */
import { Text } from "@mantine/core";
import type { ReactElement } from "react";
import type { Schemas } from "@/api/client";

const SIGNS: Readonly<Record<Schemas["Severity"], readonly [sign: string, color: string]>> = {
  info: ["i", "var(--mantine-color-dimmed)"],
  warning: ["!", "var(--warn)"],
  error: ["✕", "var(--bad)"],
};

export function Severity({ of }: { of: Schemas["Severity"] }): ReactElement {
  const [sign, color] = SIGNS[of];
  return (
    <Text component="span" c={color} fw={700} role="img" aria-label={of}>
      {sign}
    </Text>
  );
}
