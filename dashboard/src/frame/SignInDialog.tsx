/** The session has ended in the middle of something: how does one go on without losing it? */
import { Modal, Text } from "@mantine/core";
import { useWindowEvent } from "@mantine/hooks";
import type { ReactElement } from "react";
import { useSignInWanted } from "@/api/connection";
import { useLookAgain } from "@/api/session";
import { SignInForm } from "@/components/SignInForm";

export function SignInDialog({ user }: { user: string }): ReactElement {
  const wanted = useSignInWanted();
  const lookAgain = useLookAgain();
  // The company's sign-in happens in a window of its own: when one comes back from it, it is done.
  useWindowEvent("focus", () => {
    if (wanted) void lookAgain();
  });
  return (
    <Modal
      opened={wanted}
      onClose={() => undefined}
      withCloseButton={false}
      closeOnEscape={false}
      closeOnClickOutside={false}
      title="Your session has ended"
      centered
    >
      <Text size="sm" mb="md">
        Sign in again and everything goes on where it was; nothing that you typed is lost.
      </Text>
      <SignInForm user={user} next={undefined} />
    </Modal>
  );
}
