/** What an operation takes from now on: by tokens, by image or by call. */
import { Autocomplete, Modal, SegmentedControl, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type ReactElement, useState } from "react";
import { api, read } from "@/api/client";
import { FormOf } from "@/components/FormOf";
import { countOf } from "@/lib/decimal";
import type { Rate } from "./Rates";

type Way = "tokens" | "image" | "call";
const OPERATIONS = [
  ...["chat_completion", "completion", "embedding", "rerank", "image_generation", "image_edit"],
  ...["video_generation", "audio_speech", "audio_transcription"],
];
const LABELS: Readonly<Record<Way, string>> = {
  tokens: "Tokens for a credit",
  image: "Credits for an image",
  call: "Credits for a call",
};

export function RateForm({
  rate,
  onClose,
}: {
  rate: Rate | null;
  onClose: () => void;
}): ReactElement {
  const queries = useQueryClient();
  const [operation, setOperation] = useState(rate?.operation ?? "chat_completion");
  const [model, setModel] = useState(rate?.model ?? "");
  const [way, setWay] = useState<Way>(wayOf(rate));
  const [amount, setAmount] = useState(amountOf(rate));
  const [least, setLeast] = useState(rate?.min_credits ?? "0");
  const [price, setPrice] = useState(rate?.price_per_credit_usd ?? "");
  const save = useMutation({
    mutationFn: () =>
      read(
        api.PUT("/api/v1/credit-rates", {
          body: {
            operation: operation.trim(),
            model: model.trim(),
            tokens_per_credit: way === "tokens" ? (countOf(amount) as number) : null,
            min_credits: way === "tokens" ? least.trim() : "0",
            credits_per_image: way === "image" ? amount.trim() : null,
            credits_per_call: way === "call" ? amount.trim() : null,
            price_per_credit_usd: price.trim() || null,
          },
        }),
      ),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: ["credit-rates"] });
      onClose();
    },
  });
  return (
    <Modal opened onClose={onClose} title={rate ? "Change a rate" : "Add a rate"}>
      <FormOf
        error={save.error}
        errorTitle="Not saved"
        isPending={save.isPending}
        action="Save"
        onSubmit={() => save.mutateAsync()}
        onClose={onClose}
      >
        <Autocomplete
          label="Operation"
          data={OPERATIONS}
          required
          disabled={rate !== null}
          value={operation}
          onChange={setOperation}
        />
        <TextInput
          label="Model"
          placeholder="every model without its own rate"
          disabled={rate !== null}
          value={model}
          onChange={(event) => setModel(event.currentTarget.value)}
        />
        <SegmentedControl
          aria-label="Counted by"
          data={[
            { value: "tokens", label: "By tokens" },
            { value: "image", label: "By image" },
            { value: "call", label: "By call" },
          ]}
          value={way}
          onChange={(value) => setWay(value as Way)}
        />
        <TextInput
          label={LABELS[way]}
          required
          inputMode="decimal"
          value={amount}
          onChange={(event) => setAmount(event.currentTarget.value)}
        />
        {way === "tokens" && (
          <TextInput
            label="At least, in credits"
            inputMode="decimal"
            value={least}
            onChange={(event) => setLeast(event.currentTarget.value)}
          />
        )}
        <TextInput
          label="Price of a credit, in US dollars"
          placeholder="optional"
          inputMode="decimal"
          value={price}
          onChange={(event) => setPrice(event.currentTarget.value)}
        />
      </FormOf>
    </Modal>
  );
}

function wayOf(rate: Rate | null): Way {
  if (rate === null || rate.tokens_per_credit !== null) return "tokens";
  return rate.credits_per_image === null ? "call" : "image";
}

function amountOf(rate: Rate | null): string {
  if (rate === null) return "150";
  return String(rate.tokens_per_credit ?? rate.credits_per_image ?? rate.credits_per_call ?? "");
}
