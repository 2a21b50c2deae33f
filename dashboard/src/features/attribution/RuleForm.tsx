/** A rule of your own: what it looks for, and whom it then names. */
import { Modal, Select, TagsInput, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type ReactElement, useState } from "react";
import { api, read } from "@/api/client";
import { ApiError } from "@/api/errors";
import type { paths } from "@/api/schema";
import { FormOf } from "@/components/FormOf";
import { told } from "@/components/toasts";
import { RANKS, type Rule } from "./Rules";

type Body =
  paths["/api/v1/attribution/rules"]["post"]["requestBody"]["content"]["application/json"];
type List = "buckets" | "words" | "without" | "segments" | "hosts" | "headers" | "id_prefixes";
type Order = Omit<Body, List> & { [name in List]: NonNullable<Body[name]> };

/** What a rule of each rank may read; others are built in. */
const READS: Readonly<Partial<Record<Order["rank"], readonly List[]>>> = {
  host: ["hosts"],
  header: ["headers"],
  answer: ["id_prefixes"],
  vendor_bucket: ["buckets"],
  only_vendor: ["words", "without", "buckets"],
  path: ["words", "segments", "without", "buckets"],
  model: ["words", "without", "buckets"],
  bucket: ["buckets"],
};
const LABELS: Readonly<Record<List, [label: string, hint: string]>> = {
  words: ["Words of the name", "any of these; Enter after each"],
  without: ["But none of these words", "optional"],
  segments: ["Parts of the path", "between slashes"],
  hosts: ["Hosts", "api.example.com, *.example.com"],
  headers: ["Headers of the answer", "x-served-by, or x-served-by: example"],
  id_prefixes: ["Beginnings of the answer's id", "gen-"],
  buckets: ["Only in these buckets", "none: in all"],
};
const SURE = ["observed", "strong", "weak", "assumed"] as const;

interface RuleFormProps {
  /** Null: a new one. */
  rule: Rule | null;
  onClose: () => void;
}

export function RuleForm({ rule, onClose }: RuleFormProps): ReactElement {
  const queries = useQueryClient();
  const [order, setOrder] = useState<Order>(() => (rule ? orderOf(rule) : NEW));
  const save = useMutation({
    mutationFn: () =>
      rule
        ? read(
            api.PUT("/api/v1/attribution/rules/{rule_id}", {
              params: { path: { rule_id: rule.id } },
              body: { ...order, version: rule.version ?? 1 },
            }),
          )
        : read(api.POST("/api/v1/attribution/rules", { body: order })),
    onSuccess: async (saved) => {
      await queries.invalidateQueries({ queryKey: ["attribution"] });
      told(`Rule ${saved.id} is in force.`);
      onClose();
    },
  });
  const lists = READS[order.rank] ?? [];
  const set = (change: Partial<Order>): void => setOrder((before) => ({ ...before, ...change }));
  const wrong = save.error instanceof ApiError ? save.error.param : undefined;
  return (
    <Modal
      opened
      onClose={onClose}
      title={rule ? `Rule ${rule.id}` : "A rule of your own"}
      size="lg"
    >
      <FormOf
        error={save.error}
        errorTitle="Not saved"
        isPending={save.isPending}
        action={rule ? "Save" : "Add the rule"}
        onSubmit={() => save.mutateAsync()}
        onClose={onClose}
      >
        <TextInput
          label="Name of the rule"
          required
          disabled={rule !== null}
          error={wrong === "id"}
          value={order.id}
          onChange={(event) => set({ id: event.currentTarget.value })}
        />
        <Select
          label="It reads"
          data={Object.keys(READS).map((value) => ({ value, label: RANKS[value] ?? value }))}
          value={order.rank}
          allowDeselect={false}
          onChange={(value) => value && set({ ...NOTHING, rank: value as Order["rank"] })}
        />
        {lists.map((name) => (
          <TagsInput
            key={name}
            label={LABELS[name][0]}
            placeholder={order[name].length === 0 ? LABELS[name][1] : ""}
            error={wrong === name}
            value={order[name]}
            onChange={(value) => set({ [name]: value })}
          />
        ))}
        <TextInput
          label="Then it was served by"
          placeholder="wavespeed"
          required
          error={wrong === "provider"}
          value={order.provider}
          onChange={(event) => set({ provider: event.currentTarget.value.trim() })}
        />
        <Select
          label="How sure that is"
          placeholder="as sure as what it reads"
          data={SURE}
          clearable
          clearButtonProps={{ "aria-label": "Clear" }}
          value={order.confidence ?? null}
          onChange={(value) => set({ confidence: SURE.find((one) => one === value) ?? null })}
        />
        <TextInput
          label="Note"
          placeholder="why this rule is right"
          value={order.note}
          onChange={(event) => set({ note: event.currentTarget.value })}
        />
      </FormOf>
    </Modal>
  );
}

const NOTHING = {
  buckets: [],
  words: [],
  without: [],
  segments: [],
  hosts: [],
  headers: [],
  id_prefixes: [],
  aggregator_field: false,
};
const NEW: Order = { ...NOTHING, id: "", rank: "model", provider: "", confidence: null, note: "" };

function orderOf(rule: Rule): Order {
  const { id, provider, words, without, segments, hosts, headers, id_prefixes, note } = rule;
  return {
    ...{ id, provider, words, without, segments, hosts, headers, id_prefixes, note },
    rank: rule.rank as Order["rank"],
    buckets: rule.buckets as Order["buckets"],
    aggregator_field: rule.aggregator_field,
    confidence: rule.confidence as Order["confidence"] & string,
  };
}
