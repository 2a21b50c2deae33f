/** How is an amount of a wallet written: dollars as money, credits as credits? */
import { Text } from "@mantine/core";
import type { ReactElement } from "react";
import type { Schemas } from "@/api/client";
import { credits, money } from "@/lib/format";

export type Wallet = Schemas["WalletShown"];
export type Unit = Wallet["unit"];

export function amountText(amount: string | null | undefined, unit: Unit): string {
  return unit === "usd" ? money(amount) : credits(amount);
}

interface AmountProps {
  amount: string;
  unit: Unit;
  /** With a plus before what came in. */
  signed?: boolean;
  named?: boolean;
}

export function Amount({ amount, unit, signed, named }: AmountProps): ReactElement {
  const number = Number(amount);
  const color = signed && number > 0 ? "var(--good)" : undefined;
  return (
    <Text component="span" inherit c={color} className="tabular" style={{ whiteSpace: "nowrap" }}>
      {signed && number > 0 ? "+" : ""}
      {amountText(amount, unit)}
      {named && unit === "credits" ? (
        <Text component="span" size="sm" c="dimmed" fw={400}>
          {" credits"}
        </Text>
      ) : null}
    </Text>
  );
}
