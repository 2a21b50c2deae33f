/** How does a key get another text? What uses the old one is refused from then on. */
import { Modal, Text } from "@mantine/core";
import { type ReactElement, useState } from "react";
import { FormOf } from "@/components/FormOf";
import { type Minted, MintedKey } from "./MintedKey";
import { type Key, useRotateKey } from "./queries";

interface RotateKeyProps {
  /** The key; null: none is asked about. */
  shown: Key | null;
  onClose: () => void;
}

export function RotateKey({ shown, onClose }: RotateKeyProps): ReactElement {
  const rotate = useRotateKey();
  const [minted, setMinted] = useState<Minted | null>(null);
  const close = (): void => {
    setMinted(null);
    rotate.reset();
    onClose();
  };
  const name = shown?.name ?? minted?.name ?? "";
  return (
    <Modal
      opened={shown !== null}
      onClose={close}
      title={minted ? `The key ${name}` : `Give ${name} another text?`}
      size={minted ? "lg" : "md"}
      closeOnClickOutside={false}
      closeOnEscape={minted === null}
    >
      {minted ? (
        <MintedKey minted={minted} onDone={close} />
      ) : (
        <FormOf
          error={rotate.error}
          errorTitle="It has its old text"
          isPending={rotate.isPending}
          action="Rotate"
          onClose={close}
          onSubmit={async () => {
            if (shown) setMinted(await rotate.mutateAsync(shown.key_id));
          }}
        >
          <Text size="sm">
            You get a new text for it, this once. Whatever uses the old one is refused within a
            second. What the key may do, its limits and its history stay.
          </Text>
        </FormOf>
      )}
    </Modal>
  );
}
