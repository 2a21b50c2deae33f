/** At how many per cent of one budget is told? None: it is not; or as all others are. */
import { Modal, SegmentedControl, TagsInput, Text } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type ReactElement, useState } from "react";
import { api, read } from "@/api/client";
import { FormOf } from "@/components/FormOf";
import { told } from "@/components/toasts";
import { wholePercents } from "@/lib/format";
import type { Rule } from "./Thresholds";

export const RULES = ["alert-rules"];
const THRESHOLDS_MAX = 10;

interface ThresholdFormProps {
  rule: Rule;
  /** Those that all others have, in per cent. */
  shared: readonly number[];
  onClose: () => void;
}

/** `80` and `80 %` are the same; what is no whole number is refused by the field. */
function isPercent(typed: string): boolean {
  const number = Number(typed);
  return /^\d+$/.test(typed) && number >= 1 && number <= 1000;
}

export function ThresholdForm({ rule, shared, onClose }: ThresholdFormProps): ReactElement {
  const queries = useQueryClient();
  const [way, setWay] = useState<"shared" | "own">(rule.own === null ? "shared" : "own");
  const [typed, setTyped] = useState((rule.own ?? shared).map(String));
  const wrong = typed.filter((one) => !isPercent(one));
  const params = { path: { budget: rule.budget } };
  const save = useMutation({
    mutationFn: async () => {
      if (way === "shared") {
        await read(api.DELETE("/api/v1/alerts/rules/{budget}", { params }));
        return;
      }
      const thresholds = typed.map(Number).sort((one, other) => one - other);
      await read(api.PUT("/api/v1/alerts/rules/{budget}", { params, body: { thresholds } }));
    },
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: RULES });
      told(`The thresholds of ${rule.budget} hold from now on. Past alerts are not repeated.`);
      onClose();
    },
  });
  return (
    <Modal opened onClose={onClose} title={`Thresholds of ${rule.budget}`}>
      <FormOf
        error={save.error}
        errorTitle="Not saved"
        isPending={save.isPending}
        isReady={way === "shared" || wrong.length === 0}
        action="Save"
        onSubmit={() => save.mutateAsync()}
        onClose={onClose}
      >
        <SegmentedControl
          aria-label="Which thresholds"
          data={[
            { value: "shared", label: "As all others" },
            { value: "own", label: "Its own" },
          ]}
          value={way}
          onChange={(value) => setWay(value === "own" ? "own" : "shared")}
        />
        {way === "shared" ? (
          <Text size="sm">At {wholePercents(shared)} of its limit.</Text>
        ) : (
          <TagsInput
            label="Thresholds, in per cent of the limit"
            description="Enter after each. Without any there are no alerts."
            placeholder={typed.length === 0 ? "80" : ""}
            inputMode="numeric"
            splitChars={[",", " ", "%"]}
            maxTags={THRESHOLDS_MAX}
            value={typed}
            error={wrong.length > 0 && `${wrong.join(", ")}: whole numbers from 1 to 1,000`}
            onChange={setTyped}
          />
        )}
      </FormOf>
    </Modal>
  );
}
