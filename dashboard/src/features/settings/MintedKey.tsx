/** How is a key's text handed over? This once, with a command that uses it. */
import { Alert, Button, Group, Stack } from "@mantine/core";
import type { ReactElement } from "react";
import type { Schemas } from "@/api/client";
import { Secret } from "@/components/Secret";

export type Minted = Schemas["MintedKey"];

export function MintedKey(props: { minted: Minted; onDone: () => void }): ReactElement {
  const { minted, onDone } = props;
  const curl = [
    `curl ${window.location.origin}/v1/chat/completions \\`,
    `  -H 'Authorization: Bearer ${minted.key}' \\`,
    "  -H 'Content-Type: application/json' \\",
    `  -d '{"model": "text", "messages": [{"role": "user", "content": "Who serves me?"}]}'`,
  ].join("\n");
  return (
    <Stack gap="md">
      <Alert color="yellow" role="status">
        Copy it now: it is shown this once, and only a digest of it is kept.
      </Alert>
      <Secret label="Key" value={minted.key} />
      {minted.scopes.includes("call") && <Secret label="Try it" value={curl} lines />}
      <Group justify="flex-end">
        <Button onClick={onDone}>I have it</Button>
      </Group>
    </Stack>
  );
}
