/** How does one get a key? Its text is shown once, with a command that uses it. */
import {
  Checkbox,
  Modal,
  MultiSelect,
  NumberInput,
  Select,
  SimpleGrid,
  Text,
  TextInput,
} from "@mantine/core";
import { type ReactElement, useState } from "react";
import type { Schemas } from "@/api/client";
import { useSession } from "@/api/session";
import { FormOf } from "@/components/FormOf";
import { useProject } from "@/lib/range";
import { type Minted, MintedKey } from "./MintedKey";
import { useKeys, useMintKey } from "./queries";
import { stateOf } from "./rights";

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
  const [minted, setMinted] = useState<Minted | null>(null);
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
        <MintedKey minted={minted} onDone={close} />
      ) : (
        <Form onMinted={setMinted} onClose={close} />
      )}
    </Modal>
  );
}

function Form(props: { onMinted: (minted: Minted) => void; onClose: () => void }): ReactElement {
  const session = useSession();
  const projects = useProjects();
  const mint = useMintKey();
  const [name, setName] = useState("");
  const [user, setUser] = useState(session?.user ?? "");
  const [where, setWhere] = useState<string | null>(null);
  const project = where ?? projects.first;
  const [scopes, setScopes] = useState<string[]>(["call"]);
  const [lifetime, setLifetime] = useState("90");
  const [perMinute, setPerMinute] = useState<number | string>("");
  const [atOnce, setAtOnce] = useState<number | string>("");
  const [keeps, setKeeps] = useState(false);
  const isAdmin = session?.role === "admin";
  const most = isAdmin ? SCOPES.length : user.trim() === session?.user ? 2 : 1;
  const isReady = name.trim() !== "" && scopes.length > 0;
  const submit = async (): Promise<void> => {
    const days = Number(lifetime);
    const minted = await mint.mutateAsync({
      name: name.trim(),
      ...(user.trim() && { user: user.trim() }),
      project: project.trim() || "default",
      scopes: scopes.filter(
        (one) => SCOPES.findIndex((of) => of.value === one) < most,
      ) as Schemas["Scope"][],
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
          readOnly={session?.role === "member"}
          onChange={(event) => setUser(event.currentTarget.value)}
        />
        {projects.only === null ? (
          <TextInput
            label="Project"
            value={project}
            onChange={(event) => setWhere(event.currentTarget.value)}
          />
        ) : (
          <Select
            label="Project"
            data={projects.only}
            value={project}
            allowDeselect={false}
            onChange={setWhere}
          />
        )}
        <MultiSelect
          label="May"
          data={SCOPES.slice(0, most)}
          value={scopes}
          onChange={setScopes}
          required
        />
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

interface Projects {
  /** Those that there are to choose from; null: any. */
  only: string[] | null;
  first: string;
}

/** A manager makes keys of their projects, a member of those that they have keys of. */
function useProjects(): Projects {
  const session = useSession();
  const chosen = useProject();
  const own = useKeys(session?.user);
  if (session?.role === "admin") return { only: null, first: chosen ?? "default" };
  const theirs = own.data?.pages.flatMap((page) => page.keys) ?? [];
  const held = theirs.filter((key) => stateOf(key) === "valid").map((key) => key.project);
  const only = [
    ...new Set(
      session?.role === "manager" ? session.projects : held.length > 0 ? held : ["default"],
    ),
  ];
  return { only, first: only.find((one) => one === chosen) ?? only[0] ?? "default" };
}
