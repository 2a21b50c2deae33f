/** How does an endpoint get one more key? It is kept encrypted, and shown to nobody. */
import { Alert, Button, Group, Modal, PasswordInput, Stack, Text, TextInput } from "@mantine/core";
import { type FormEvent, type ReactElement, useState } from "react";
import { told } from "@/components/toasts";
import { useAddEndpointKey } from "./queries";

export function EndpointKeyForm(props: {
  endpoint: string | null;
  onClose: () => void;
}): ReactElement {
  const { endpoint, onClose } = props;
  return (
    <Modal
      opened={endpoint !== null}
      onClose={onClose}
      title={`One more key for ${endpoint ?? ""}`}
      closeOnClickOutside={false}
    >
      {endpoint && <Form endpoint={endpoint} onClose={onClose} />}
    </Modal>
  );
}

function Form({ endpoint, onClose }: { endpoint: string; onClose: () => void }): ReactElement {
  const add = useAddEndpointKey();
  const [name, setName] = useState("");
  const [secret, setSecret] = useState("");
  const isReady = name.trim() !== "" && secret.trim() !== "";
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    if (!isReady) return;
    try {
      await add.mutateAsync({ endpoint, name: name.trim(), api_key: secret.trim() });
      told(`${endpoint} has the key ${name.trim()} too.`);
      onClose();
    } catch {
      // Shown below.
    }
  };
  return (
    <form onSubmit={(event) => void submit(event)}>
      <Stack gap="sm">
        <Text size="sm">All its keys take turns. It is kept encrypted, and shown to nobody.</Text>
        <TextInput
          label="Name"
          required
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
          data-autofocus
        />
        <PasswordInput
          label="The provider’s key"
          required
          autoComplete="off"
          value={secret}
          onChange={(event) => setSecret(event.currentTarget.value)}
        />
        {add.error && (
          <Alert color="red" role="alert">
            {add.error.message}
          </Alert>
        )}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" disabled={!isReady} loading={add.isPending}>
            Add
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
