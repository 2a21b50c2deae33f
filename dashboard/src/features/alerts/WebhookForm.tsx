/** Where shall alerts be sent? The secret that they are signed with is shown once. */
import { Alert, Button, Group, Modal, Select, Stack, TextInput } from "@mantine/core";
import { type ReactElement, useState } from "react";
import type { Schemas } from "@/api/client";
import { ApiError } from "@/api/errors";
import { FormOf } from "@/components/FormOf";
import { Secret } from "@/components/Secret";
import { useAddWebhook } from "./query";

const SEVERITIES = [
  { value: "info", label: "all" },
  { value: "warning", label: "warnings and errors" },
  { value: "error", label: "errors alone" },
];

export function WebhookForm({ onClose }: { onClose: () => void }): ReactElement {
  const add = useAddWebhook();
  const [name, setName] = useState("");
  const [url, setUrl] = useState("");
  const [least, setLeast] = useState<Schemas["Severity"]>("info");
  const wrong = add.error instanceof ApiError ? add.error.param : undefined;
  const made = add.data;
  if (made) {
    return (
      <Modal
        opened
        onClose={onClose}
        title={`The webhook ${made.name}`}
        closeOnClickOutside={false}
      >
        <Stack gap="md">
          <Alert color="yellow" role="status">
            Copy it now: it is shown this once. With it the receiver checks that an alert is ours.
          </Alert>
          <Secret label="Secret" value={made.secret} />
          <Group justify="flex-end">
            <Button onClick={onClose}>I have it</Button>
          </Group>
        </Stack>
      </Modal>
    );
  }
  return (
    <Modal opened onClose={onClose} title="New webhook" closeOnClickOutside={false}>
      <FormOf
        error={add.error}
        errorTitle="Not made"
        isPending={add.isPending}
        isReady={name.trim() !== "" && url.trim() !== ""}
        action="Add the webhook"
        onSubmit={() =>
          add.mutateAsync({ name: name.trim(), url: url.trim(), severity_min: least })
        }
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
        <TextInput
          label="Address"
          placeholder="https://"
          required
          inputMode="url"
          error={wrong === "url"}
          value={url}
          onChange={(event) => setUrl(event.currentTarget.value)}
        />
        <Select
          label="Which alerts"
          data={SEVERITIES}
          value={least}
          allowDeselect={false}
          onChange={(value) => setLeast((value ?? "info") as Schemas["Severity"])}
        />
      </FormOf>
    </Modal>
  );
}
