/** Put something into a wallet, or correct it. Sent twice, it is done once. */
import { Modal, Select, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type ReactElement, useState } from "react";
import { api, read, type Schemas } from "@/api/client";
import { ApiError } from "@/api/errors";
import { FormOf } from "@/components/FormOf";
import { told } from "@/components/toasts";
import { amountText, type Wallet } from "./amount";

export type Move = "grant" | "purchase" | "adjustment";
type Transaction = Schemas["TransactionShown"];
const TITLES: Readonly<Record<Move, string>> = {
  grant: "Grant",
  purchase: "Purchase",
  adjustment: "Adjust the balance",
};
const KINDS = [
  { value: "promotional", label: "promotional: a present" },
  { value: "plan", label: "plan: what a plan brings" },
];

/** Tells this filled-in form from every other one, also where the page is not served by HTTPS. */
function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `dashboard-${[...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

interface MoveFormProps {
  wallet: Wallet;
  move: Move;
  onClose: () => void;
}

export function MoveForm({ wallet, move, onClose }: MoveFormProps): ReactElement {
  const queries = useQueryClient();
  const [key, setKey] = useState(newKey);
  const [amount, setAmount] = useState("");
  const [kind, setKind] = useState<Schemas["GrantKind"]>("promotional");
  const [expires, setExpires] = useState("");
  const [price, setPrice] = useState("");
  const [note, setNote] = useState("");
  const send = useMutation({
    mutationFn: (): Promise<Transaction> => {
      const params = { path: { name: wallet.name }, header: { "Idempotency-Key": key } };
      const given = {
        amount: amount.trim(),
        note: note.trim(),
        expires_at: expires ? new Date(`${expires}T00:00:00`).toISOString() : null,
      };
      if (move === "grant")
        return read(
          api.POST("/api/v1/wallets/{name}/grants", { params, body: { ...given, kind } }),
        );
      if (move === "purchase")
        return read(
          api.POST("/api/v1/wallets/{name}/purchases", {
            params,
            body: { ...given, price_usd: price.trim() || null },
          }),
        );
      return read(
        api.POST("/api/v1/wallets/{name}/adjustments", {
          params,
          body: { amount: given.amount, note: given.note },
        }),
      );
    },
    onSuccess: async (done) => {
      await queries.invalidateQueries({ queryKey: ["wallets"] });
      told(`${wallet.name} now holds ${amountText(done.balance_after, wallet.unit)}.`);
      onClose();
    },
    // What was refused was not done; what is sent after a change is another request.
    onError: (error) => {
      if (error instanceof ApiError) setKey(newKey());
    },
  });
  const wrong = send.error instanceof ApiError ? send.error.param : undefined;
  const unit = wallet.unit === "usd" ? "US dollars" : "credits";
  return (
    <Modal opened onClose={onClose} title={`${TITLES[move]}: ${wallet.name}`}>
      <FormOf
        error={send.error}
        errorTitle="Not done"
        isPending={send.isPending}
        action={TITLES[move]}
        onSubmit={() => send.mutateAsync()}
        onClose={onClose}
      >
        <TextInput
          label={`Amount in ${unit}`}
          description={move === "adjustment" ? "With a minus for what goes." : undefined}
          required
          data-autofocus
          inputMode="decimal"
          error={wrong === "amount"}
          value={amount}
          onChange={(event) => setAmount(event.currentTarget.value)}
        />
        {move === "grant" && (
          <Select
            label="Kind"
            data={KINDS}
            value={kind}
            allowDeselect={false}
            onChange={(value) => setKind(value === "plan" ? "plan" : "promotional")}
          />
        )}
        {move === "purchase" && (
          <TextInput
            label="What was paid, in US dollars"
            placeholder="optional"
            inputMode="decimal"
            error={wrong === "price_usd"}
            value={price}
            onChange={(event) => setPrice(event.currentTarget.value)}
          />
        )}
        {move !== "adjustment" && (
          <TextInput
            type="date"
            label="Expires on"
            description="Without a day it never does."
            value={expires}
            onChange={(event) => setExpires(event.currentTarget.value)}
          />
        )}
        <TextInput
          label="Note"
          placeholder={move === "adjustment" ? "why" : "optional"}
          required={move === "adjustment"}
          value={note}
          onChange={(event) => setNote(event.currentTarget.value)}
        />
      </FormOf>
    </Modal>
  );
}
