/** How does an endpoint get one more key? It is kept encrypted, and shown to nobody. */
import { Modal, PasswordInput, Text, TextInput } from "@mantine/core";
import { type ReactElement, useState } from "react";
import { FormOf } from "@/components/FormOf";
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
  return (
    <FormOf
      error={add.error}
      isPending={add.isPending}
      isReady={isReady}
      action="Add"
      onClose={onClose}
      onSubmit={async () => {
        await add.mutateAsync({ endpoint, name: name.trim(), api_key: secret.trim() });
        told(`${endpoint} has the key ${name.trim()} too.`);
        onClose();
      }}
    >
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
    </FormOf>
  );
}
