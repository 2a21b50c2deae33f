/** A new wallet: whose it is, and what it counts. */
import { Group, Modal, SegmentedControl, Select, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { type ReactElement, useState } from "react";
import { api, read } from "@/api/client";
import { ApiError } from "@/api/errors";
import { FormOf } from "@/components/FormOf";
import { SUBJECTS } from "@/lib/names";
import type { Unit } from "./amount";

const route = getRouteApi("/framed/credits");

export function WalletForm({ onClose }: { onClose: () => void }): ReactElement {
  const queries = useQueryClient();
  const navigate = route.useNavigate();
  const [name, setName] = useState("");
  const [kind, setKind] = useState("user");
  const [whose, setWhose] = useState("");
  const [unit, setUnit] = useState<Unit>("credits");
  const [overdraft, setOverdraft] = useState("0");
  const make = useMutation({
    mutationFn: () =>
      read(
        api.POST("/api/v1/wallets", {
          body: { name: name.trim(), subject: `${kind}:${whose.trim()}`, unit, overdraft },
        }),
      ),
    onSuccess: async (made) => {
      await queries.invalidateQueries({ queryKey: ["wallets"] });
      onClose();
      void navigate({ to: ".", search: (old) => ({ ...old, wallet: made.name }) });
    },
  });
  const wrong = make.error instanceof ApiError ? make.error.param : undefined;
  return (
    <Modal opened onClose={onClose} title="New wallet">
      <FormOf
        error={make.error}
        errorTitle="Not made"
        isPending={make.isPending}
        action="Make it"
        onSubmit={() => make.mutateAsync()}
        onClose={onClose}
      >
        <TextInput
          label="Name"
          required
          data-autofocus
          error={wrong === "name"}
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
        />
        <Group grow align="flex-end" gap="xs">
          <Select
            label="Whose"
            data={SUBJECTS}
            value={kind}
            allowDeselect={false}
            onChange={(value) => setKind(value ?? "user")}
          />
          <TextInput
            label="Its name"
            required
            error={wrong === "subject"}
            value={whose}
            onChange={(event) => setWhose(event.currentTarget.value)}
          />
        </Group>
        <SegmentedControl
          aria-label="What it counts"
          data={[
            { value: "credits", label: "Credits" },
            { value: "usd", label: "US dollars" },
          ]}
          value={unit}
          onChange={(value) => setUnit(value === "usd" ? "usd" : "credits")}
        />
        <TextInput
          label="Overdraft"
          description="How far below nothing it may go."
          inputMode="decimal"
          error={wrong === "overdraft"}
          value={overdraft}
          onChange={(event) => setOverdraft(event.currentTarget.value)}
        />
      </FormOf>
    </Modal>
  );
}
