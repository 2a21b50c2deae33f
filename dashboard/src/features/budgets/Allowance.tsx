/** A plan's limit: unlimited and none allowed are two things, and look like two things. */
import { Text } from "@mantine/core";
import type { ReactElement } from "react";
import { Hint } from "@/components/Figures";
import { count, money, words } from "@/lib/format";

interface AllowanceProps {
  /** null: unlimited; 0: none allowed; text: US dollars. */
  limit: number | string | null;
}

export function Allowance({ limit }: AllowanceProps): ReactElement {
  if (limit === null)
    return (
      <Text component="span" size="sm" c="dimmed">
        unlimited
      </Text>
    );
  if (Number(limit) === 0)
    return (
      <Hint label="0: not one is allowed">
        <Text component="span" size="sm" c="var(--bad)">
          none
        </Text>
      </Hint>
    );
  return (
    <Text component="span" size="sm" className="tabular">
      {limitText(limit)}
    </Text>
  );
}

export function limitText(amount: number | string): string {
  return typeof amount === "string" ? money(amount) : count(amount);
}

const NAMES: Readonly<Record<string, string>> = {
  text_calls: "All text, calls",
  search_calls: "All search, calls",
  monthly_cost_usd: "Cost in a month",
};

/** `image_edit_calls` as `image edit, calls`. */
export function limitName(name: string): string {
  const known = NAMES[name];
  if (known) return known;
  const place = name.lastIndexOf("_");
  return `${words(name.slice(0, place))}, ${name.slice(place + 1)}`;
}
