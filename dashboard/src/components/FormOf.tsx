/** What stands around the fields of a form: what went wrong, and a button each way. */
import { Alert, Button, Group, Stack } from "@mantine/core";
import type { FormEvent, ReactElement, ReactNode } from "react";

interface FormOfProps {
  error: Error | null;
  /** What did not happen, above what went wrong. */
  errorTitle?: string;
  isPending: boolean;
  /** Whether it can be sent; where the fields say so themselves it always can. */
  isReady?: boolean;
  /** What the button says: a verb. */
  action: string;
  /** Sends it, and closes the form once it is done. */
  onSubmit: () => Promise<unknown>;
  onClose: () => void;
  children: ReactNode;
}

export function FormOf(props: FormOfProps): ReactElement {
  const { error, errorTitle, isPending, isReady = true, action, onSubmit, onClose } = props;
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    if (!isReady) return;
    try {
      await onSubmit();
    } catch {
      // Shown below; what was typed stays.
    }
  };
  return (
    <form onSubmit={(event) => void submit(event)}>
      <Stack gap="sm">
        {props.children}
        {error && (
          <Alert color="red" role="alert" title={errorTitle}>
            {error.message}
          </Alert>
        )}
        <Group justify="flex-end" mt="xs">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" disabled={!isReady} loading={isPending}>
            {action}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
