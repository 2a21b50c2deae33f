/** A budget: whom it binds, what it counts, how much of it, and what happens then. */
import { Modal, SegmentedControl, Select, SimpleGrid, Text, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type ReactElement, useState } from "react";
import { api, read } from "@/api/client";
import { ApiError } from "@/api/errors";
import { useIsAdmin } from "@/api/session";
import { FormOf } from "@/components/FormOf";
import { told } from "@/components/toasts";
import { type Budget, KINDS, type Kind, PERIODS } from "@/lib/budget";
import { SUBJECTS } from "@/lib/names";
import { BudgetScope } from "./BudgetScope";
import { type Draft, draftOf, limitField } from "./draft";

const HARDNESS = [
  { value: "hard", label: "Refuse what does not fit" },
  { value: "soft", label: "Only count" },
];

export function BudgetForm(props: { budget: Budget | null; onClose: () => void }): ReactElement {
  const { budget, onClose } = props;
  const isAdmin = useIsAdmin();
  const queries = useQueryClient();
  const [draft, setDraft] = useState<Draft>(() => draftOf(budget, isAdmin));
  const set = (change: Partial<Draft>): void => setDraft((before) => ({ ...before, ...change }));
  const save = useMutation({
    mutationFn: () => {
      const terms = {
        ...limitField(draft),
        period: draft.period,
        hard: draft.hard,
      };
      if (budget)
        return read(
          api.PATCH("/api/v1/budgets/{name}", {
            params: { path: { name: budget.name } },
            body: terms,
          }),
        );
      return read(
        api.POST("/api/v1/budgets", {
          body: {
            ...terms,
            name: draft.name.trim(),
            subject: `${draft.subject}:${draft.whose.trim()}`,
            bucket: draft.bucket || null,
            category: draft.category || null,
            model: draft.model.trim() || null,
            provider: draft.provider.trim() || null,
          },
        }),
      );
    },
    onSuccess: async (saved) => {
      await queries.invalidateQueries({ queryKey: ["budgets"] });
      told(`${saved.name} is in force on all workers within a second.`);
      onClose();
    },
  });
  const wrong = save.error instanceof ApiError ? save.error.param : undefined;
  return (
    <Modal
      opened
      onClose={onClose}
      size="lg"
      title={budget ? `Budget ${budget.name}` : "New budget"}
    >
      <FormOf
        error={save.error}
        errorTitle="Not saved"
        isPending={save.isPending}
        action={budget ? "Save" : "Add the budget"}
        onSubmit={() => save.mutateAsync()}
        onClose={onClose}
      >
        {!budget && (
          <>
            <TextInput
              label="Name"
              required
              data-autofocus
              error={wrong === "name"}
              value={draft.name}
              onChange={(event) => set({ name: event.currentTarget.value })}
            />
            <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm">
              <Select
                label="Whom it binds"
                data={isAdmin ? SUBJECTS : ["project"]}
                value={draft.subject}
                allowDeselect={false}
                onChange={(value) =>
                  set({
                    subject: value ?? "user",
                    ...(value === "organisation" && { whose: "default" }),
                  })
                }
              />
              <TextInput
                label="Its name"
                required
                error={wrong === "subject"}
                value={draft.whose}
                onChange={(event) => set({ whose: event.currentTarget.value })}
              />
            </SimpleGrid>
          </>
        )}
        <SimpleGrid cols={{ base: 1, xs: 3 }} spacing="sm">
          <Select
            label="It counts"
            data={Object.entries(KINDS).map(([value, label]) => ({ value, label }))}
            value={draft.kind}
            disabled={budget !== null}
            allowDeselect={false}
            onChange={(value) => set({ kind: (value ?? "money") as Kind })}
          />
          <TextInput
            label="At most"
            required
            inputMode="decimal"
            description={draft.amount.trim() === "0" ? "0 allows none" : undefined}
            error={wrong?.startsWith("limit_") ?? false}
            value={draft.amount}
            onChange={(event) => set({ amount: event.currentTarget.value })}
          />
          <Select
            label="In a"
            data={PERIODS}
            value={draft.period}
            allowDeselect={false}
            onChange={(value) => set({ period: value ?? "month" })}
          />
        </SimpleGrid>
        <div>
          <Text size="sm" fw={500} mb={4} id="hardness">
            When it is used up
          </Text>
          <SegmentedControl
            aria-labelledby="hardness"
            data={HARDNESS}
            value={draft.hard ? "hard" : "soft"}
            onChange={(value) => set({ hard: value === "hard" })}
          />
        </div>
        {!budget && <BudgetScope draft={draft} set={set} wrong={wrong} />}
      </FormOf>
    </Modal>
  );
}
