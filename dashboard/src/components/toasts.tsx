/** How is it said that something was done, with a way back where there is one? */
import { Button, Group, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";

const SHOWN_MS = 10_000;

/** Say that it was done; `undo` takes it back. */
export function told(message: string, undo?: () => Promise<unknown> | undefined): void {
  const id = notifications.show({
    autoClose: SHOWN_MS,
    color: "green",
    message: (
      <Group justify="space-between" wrap="nowrap" gap="md">
        <Text size="sm" style={{ overflowWrap: "anywhere" }}>
          {message}
        </Text>
        {undo && (
          <Button
            size="compact-sm"
            variant="default"
            flex="none"
            onClick={() => {
              notifications.hide(id);
              void undo();
            }}
          >
            Undo
          </Button>
        )}
      </Group>
    ),
  });
}

export function failed(error: unknown): void {
  say("Nothing was changed", error);
}

/** The same in other words: `onError: failedAs("Not removed")`. */
export function failedAs(title: string): (error: unknown) => void {
  return (error) => say(title, error);
}

function say(title: string, error: unknown): void {
  const message = error instanceof Error ? error.message : "It did not work.";
  notifications.show({ color: "red", title, message });
}
