/** How is a price stated? As a new version with the date from which it holds. */
import { Autocomplete, Modal, SegmentedControl, Text, TextInput } from "@mantine/core";
import { type ReactElement, useState } from "react";
import { FormOf } from "@/components/FormOf";
import { told } from "@/components/toasts";
import { instant, rate, words } from "@/lib/format";
import { perText, subjectOf, UNITS, useStatePrice } from "./prices";
import type { Price } from "./queries";

export interface Wanted {
  provider: string;
  model: string;
  /** What the model makes: it decides which units are offered. */
  type: string;
  /** The price that changes; undefined: one for a unit that has none. */
  before?: Price | undefined;
}

export function PriceForm(props: { wanted: Wanted | null; onClose: () => void }): ReactElement {
  const { wanted, onClose } = props;
  return (
    <Modal
      opened={wanted !== null}
      onClose={onClose}
      title={wanted?.before ? `Change the price of ${wanted.model}` : `Price of ${wanted?.model}`}
      closeOnClickOutside={false}
      styles={{ title: { overflowWrap: "anywhere" } }}
    >
      {wanted && <Form wanted={wanted} onClose={onClose} />}
    </Modal>
  );
}

const PRICE = /^\d{1,9}(\.\d{1,12})?$/;

function Form({ wanted, onClose }: { wanted: Wanted; onClose: () => void }): ReactElement {
  const { before } = wanted;
  const units = UNITS[wanted.type] ?? ["request"];
  const [unit, setUnit] = useState(before?.unit ?? units[0] ?? "request");
  const [amount, setAmount] = useState(before?.rate_usd ?? "");
  const [when, setWhen] = useState<"now" | "date">("now");
  const [date, setDate] = useState("");
  const [reference, setReference] = useState("");
  const [comment, setComment] = useState("");
  const state = useStatePrice();
  const isPrice = PRICE.test(amount.trim());
  const isReady = isPrice && unit.trim() !== "" && (when === "now" || date !== "");
  const from = when === "date" && date ? new Date(date).toISOString() : undefined;
  const submit = async (): Promise<void> => {
    await state.mutateAsync({
      provider: wanted.provider,
      model: wanted.model,
      unit: unit.trim(),
      rate_usd: amount.trim(),
      conditions: before?.conditions ?? {},
      ...(before && { per: before.per }),
      ...(before?.quantity_min && { quantity_min: before.quantity_min }),
      ...(before?.quantity_step && { quantity_step: before.quantity_step }),
      ...(from && { valid_from: from }),
      ...(reference.trim() && { reference: reference.trim() }),
      ...(comment.trim() && { comment: comment.trim() }),
    });
    told(
      `${wanted.model}: ${words(unit)} costs ${rate(amount.trim())} ${from ? `from ${instant(from)}` : "from now on"}.`,
    );
    onClose();
  };
  return (
    <FormOf
      error={state.error}
      errorTitle="It was not saved"
      isPending={state.isPending}
      isReady={isReady}
      action="State the price"
      onClose={onClose}
      onSubmit={submit}
    >
      {before ? (
        <Text size="sm">
          {subjectOf(before)}: {rate(before.rate_usd)} {perText(before)} until then.
        </Text>
      ) : (
        <Autocomplete
          label="Of what"
          description="Tokens are priced per million, everything else per one"
          data={[...units]}
          value={unit}
          onChange={setUnit}
          required
        />
      )}
      <TextInput
        label={before ? `New price, ${perText(before)}` : "Price"}
        leftSection={<Text size="sm">$</Text>}
        inputMode="decimal"
        value={amount}
        onChange={(event) => setAmount(event.currentTarget.value)}
        error={amount !== "" && !isPrice ? "US dollars, such as 0.15" : undefined}
        required
        data-autofocus
      />
      <div>
        <Text size="sm" fw={500} mb={4} id="price-from">
          It holds from
        </Text>
        <SegmentedControl
          aria-labelledby="price-from"
          data={[
            { value: "now", label: "now on" },
            { value: "date", label: "a date" },
          ]}
          value={when}
          onChange={(value) => setWhen(value as "now" | "date")}
        />
        {when === "date" && (
          <TextInput
            mt="xs"
            type="datetime-local"
            aria-label="The date, in your time zone"
            value={date}
            onChange={(event) => setDate(event.currentTarget.value)}
            description={
              from && Date.parse(from) < Date.now()
                ? "That is past: calls since then keep their cost until they are rated again."
                : "In your time zone"
            }
          />
        )}
      </div>
      <TextInput
        label="Where it was read"
        value={reference}
        onChange={(event) => setReference(event.currentTarget.value)}
      />
      <TextInput
        label="Comment"
        value={comment}
        onChange={(event) => setComment(event.currentTarget.value)}
      />
    </FormOf>
  );
}
