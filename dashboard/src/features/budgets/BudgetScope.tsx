/** Which of the subject's calls count? All of them, where nothing is chosen. */
import { Select, SimpleGrid, TextInput } from "@mantine/core";
import type { ReactElement } from "react";
import { BUCKETS, CALL_CATEGORIES } from "@/lib/names";
import type { Draft } from "./draft";

interface BudgetScopeProps {
  draft: Draft;
  set: (change: Partial<Draft>) => void;
  /** Which field the server did not take. */
  wrong: string | undefined;
}

export function BudgetScope({ draft, set, wrong }: BudgetScopeProps): ReactElement {
  return (
    <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm">
      <Select
        label="Only of the bucket"
        placeholder="any"
        data={BUCKETS}
        clearable
        clearButtonProps={{ "aria-label": "Clear" }}
        value={draft.bucket || null}
        onChange={(value) => set({ bucket: value ?? "" })}
      />
      <Select
        label="Only of the category"
        placeholder="any"
        data={CALL_CATEGORIES}
        clearable
        clearButtonProps={{ "aria-label": "Clear" }}
        value={draft.category || null}
        onChange={(value) => set({ category: value ?? "" })}
      />
      <TextInput
        label="Only for the model"
        placeholder="any"
        error={wrong === "model"}
        value={draft.model}
        onChange={(event) => set({ model: event.currentTarget.value })}
      />
      <TextInput
        label="Only what this provider is asked"
        placeholder="any"
        error={wrong === "provider"}
        value={draft.provider}
        onChange={(event) => set({ provider: event.currentTarget.value })}
      />
    </SimpleGrid>
  );
}
