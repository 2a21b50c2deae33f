/** How does one get a key? Its text is shown once, with a command that uses it. */
import {
  Alert,
  Button,
  Checkbox,
  Group,
  Modal,
  MultiSelect,
  NumberInput,
  Select,
  SimpleGrid,
  Stack,
  Text,
  TextInput,
} from "@mantine/core";
import { type ReactElement, useState } from "react";
import type { Schemas } from "@/api/client";
import { useSession } from "@/api/session";
import { FormOf } from "@/components/FormOf";
import { Secret } from "@/components/Secret";
import { useProject } from "@/lib/range";
import { useMintKey } from "./queries";

const SCOPES = [
  { value: "call", label: "call: make calls" },
  { value: "read", label: "read: see usage and prices" },
  { value: "intake", label: "intake: report usage" },
  { value: "admin", label: "admin: change everything" },
];
const DAY_MS = 86_400_000;
const LIFETIMES = [
  { value: "0", label: "never" },
  { value: "1", label: "in a day" },
  { value: "30", label: "in 30 days" },
  { value: "90", label: "in 90 days" },
  { value: "365", label: "in a year" },
];

export function KeyForm({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  const [minted, setMinted] = useState<Schemas["MintedKey"] | null>(null);
  const close = (): void => {
    setMinted(null);
    onClose();
  };
  return (
    <Modal
      opened={opened}
      onClose={close}
      title={minted ? `The key ${minted.name}` : "New key"}
      size="lg"
      closeOnClickOutside={false}
      closeOnEscape={minted === null}
    >
      {minted ? (
        <Minted minted={minted} onDone={close} />
      ) : (
        <Form onMinted={setMinted} onClose={close} />
      )}
    </Modal>
  );
}

function Minted(props: { minted: Schemas["MintedKey"]; onDone: () => void }): ReactElement {
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

function Form(props: {
  onMinted: (minted: Schemas["MintedKey"]) => void;
  onClose: () => void;
}): ReactElement {
  const session = useSession();
  const project = useProject();
  const mint = useMintKey();
  const [name, setName] = useState("");
  const [user, setUser] = useState(session?.user ?? "");
  const [where, setWhere] = useState(project ?? "default");
  const [scopes, setScopes] = useState<string[]>(["call"]);
  const [lifetime, setLifetime] = useState("90");
  const [perMinute, setPerMinute] = useState<number | string>("");
  const [atOnce, setAtOnce] = useState<number | string>("");
  const [keeps, setKeeps] = useState(false);
  const isReady = name.trim() !== "" && scopes.length > 0;
  const submit = async (): Promise<void> => {
    const days = Number(lifetime);
    const minted = await mint.mutateAsync({
      name: name.trim(),
      ...(user.trim() && { user: user.trim() }),
      project: where.trim() || "default",
      scopes: scopes as Schemas["Scope"][],
      ...(days > 0 && { expires_at: new Date(Date.now() + days * DAY_MS).toISOString() }),
      ...(perMinute !== "" && { calls_per_minute: Number(perMinute) }),
      ...(atOnce !== "" && { concurrent_calls: Number(atOnce) }),
      keep_content: keeps,
    });
    props.onMinted(minted);
  };
  return (
    <FormOf
      error={mint.error}
      errorTitle="No key was made"
      isPending={mint.isPending}
      isReady={isReady}
      action="Create the key"
      onClose={props.onClose}
      onSubmit={submit}
    >
      <TextInput
        label="Name"
        description="What or who uses it"
        required
        maxLength={128}
        value={name}
        onChange={(event) => setName(event.currentTarget.value)}
        data-autofocus
      />
      <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm">
        <TextInput
          label="User"
          value={user}
          onChange={(event) => setUser(event.currentTarget.value)}
        />
        <TextInput
          label="Project"
          value={where}
          onChange={(event) => setWhere(event.currentTarget.value)}
        />
        <MultiSelect label="May" data={SCOPES} value={scopes} onChange={setScopes} required />
        <Select
          label="Ends"
          data={LIFETIMES}
          value={lifetime}
          allowDeselect={false}
          onChange={(value) => setLifetime(value ?? "0")}
        />
        <NumberInput
          label="Calls a minute, at most"
          placeholder="no limit"
          min={1}
          max={1_000_000}
          allowDecimal={false}
          value={perMinute}
          onChange={setPerMinute}
        />
        <NumberInput
          label="Calls at once, at most"
          placeholder="no limit"
          min={1}
          max={100_000}
          allowDecimal={false}
          value={atOnce}
          onChange={setAtOnce}
        />
      </SimpleGrid>
      <Checkbox
        label="Keep prompts and answers of its calls for a time"
        checked={keeps}
        onChange={(event) => setKeeps(event.currentTarget.checked)}
      />
      <Text size="xs" c="dimmed">
        Budgets are set for keys, users and projects under Budgets & plans.
      </Text>
    </FormOf>
  );
}
