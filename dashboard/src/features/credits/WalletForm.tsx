/** A new wallet: whose it is, and what it counts. */
import {
  Alert,
  Button,
  Group,
  Modal,
  SegmentedControl,
  Select,
  Stack,
  TextInput,
} from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { type ReactElement, useState } from "react";
import { api, read } from "@/api/client";
import { ApiError } from "@/api/errors";
import type { Unit } from "./amount";

const route = getRouteApi("/framed/credits");
const SUBJECTS = ["user", "key", "project", "customer", "organisation"];

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
      <form
        onSubmit={(event) => {
          event.preventDefault();
          make.mutate();
        }}
      >
        <Stack gap="sm">
          {make.error && (
            <Alert color="red" role="alert" title="Not made">
              {make.error.message}
            </Alert>
          )}
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
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" loading={make.isPending}>
              Make it
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
