/** How is a user added, given projects, or another password? */
import {
  Alert,
  Button,
  Group,
  Modal,
  PasswordInput,
  Select,
  Stack,
  TagsInput,
  Text,
  TextInput,
} from "@mantine/core";
import { type FormEvent, type ReactElement, type ReactNode, useState } from "react";
import { told } from "@/components/toasts";
import {
  ROLES,
  type Role,
  type User,
  useChangeUser,
  useCreateUser,
  useSetPassword,
} from "./queries";

const PASSWORD_LENGTH_MIN = 8;
const SAYS: Readonly<Record<Role, string>> = {
  admin: "sees and changes everything",
  manager: "sees and changes what belongs to their projects, sees their own",
  member: "sees their own",
};

/** Fields with a button each way and a place for what went wrong. */
function FormOf(props: {
  error: Error | null;
  isPending: boolean;
  isReady: boolean;
  action: string;
  onSubmit: () => Promise<void>;
  onClose: () => void;
  children: ReactNode;
}): ReactElement {
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    if (!props.isReady) return;
    try {
      await props.onSubmit();
      props.onClose();
    } catch {
      // Shown below; what was typed stays.
    }
  };
  return (
    <form onSubmit={(event) => void submit(event)}>
      <Stack gap="sm">
        {props.children}
        {props.error && (
          <Alert color="red" role="alert">
            {props.error.message}
          </Alert>
        )}
        <Group justify="flex-end">
          <Button variant="default" onClick={props.onClose}>
            Cancel
          </Button>
          <Button type="submit" disabled={!props.isReady} loading={props.isPending}>
            {props.action}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

export function UserForm({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  return (
    <Modal opened={opened} onClose={onClose} title="New user" closeOnClickOutside={false}>
      <NewUser onClose={onClose} />
    </Modal>
  );
}

function NewUser({ onClose }: { onClose: () => void }): ReactElement {
  const create = useCreateUser();
  const [name, setName] = useState("");
  const [role, setRole] = useState<Role>("member");
  const [projects, setProjects] = useState<string[]>([]);
  const [password, setPassword] = useState("");
  const isShort = password !== "" && password.length < PASSWORD_LENGTH_MIN;
  return (
    <FormOf
      error={create.error}
      isPending={create.isPending}
      isReady={name.trim() !== "" && !isShort}
      action="Add"
      onClose={onClose}
      onSubmit={async () => {
        await create.mutateAsync({
          name: name.trim(),
          role,
          projects,
          ...(password && { password }),
        });
        told(`${name.trim()} may sign in.`);
      }}
    >
      <TextInput
        label="Name"
        required
        value={name}
        autoComplete="off"
        onChange={(event) => setName(event.currentTarget.value)}
        data-autofocus
      />
      <Select
        label="Role"
        description={SAYS[role]}
        data={[...ROLES]}
        value={role}
        allowDeselect={false}
        onChange={(value) => setRole((value ?? "member") as Role)}
      />
      {role === "manager" && <TagsInput label="Projects" value={projects} onChange={setProjects} />}
      <PasswordInput
        label="Password"
        description={`At least ${PASSWORD_LENGTH_MIN} characters; none: by a link, or the company account`}
        value={password}
        autoComplete="new-password"
        error={isShort ? "Too short" : undefined}
        onChange={(event) => setPassword(event.currentTarget.value)}
      />
    </FormOf>
  );
}

export function ProjectsForm({ user, onClose }: { user: User | null; onClose: () => void }) {
  return (
    <Modal opened={user !== null} onClose={onClose} title={`Projects of ${user?.name ?? ""}`}>
      {user && <Projects user={user} onClose={onClose} />}
    </Modal>
  );
}

function Projects({ user, onClose }: { user: User; onClose: () => void }): ReactElement {
  const change = useChangeUser();
  const [projects, setProjects] = useState(user.projects);
  return (
    <FormOf
      error={change.error}
      isPending={change.isPending}
      isReady
      action="Save"
      onClose={onClose}
      onSubmit={async () => {
        await change.mutateAsync({ name: user.name, projects });
        told(`The projects of ${user.name} were changed.`);
      }}
    >
      <Text size="sm">Those that a manager manages.</Text>
      <TagsInput label="Projects" value={projects} onChange={setProjects} data-autofocus />
    </FormOf>
  );
}

export function PasswordForm({ user, onClose }: { user: User | null; onClose: () => void }) {
  return (
    <Modal opened={user !== null} onClose={onClose} title={`Password of ${user?.name ?? ""}`}>
      {user && <Password user={user} onClose={onClose} />}
    </Modal>
  );
}

function Password({ user, onClose }: { user: User; onClose: () => void }): ReactElement {
  const change = useSetPassword();
  const [password, setPassword] = useState("");
  const isShort = password.length < PASSWORD_LENGTH_MIN;
  return (
    <FormOf
      error={change.error}
      isPending={change.isPending}
      isReady={!isShort}
      action="Set the password"
      onClose={onClose}
      onSubmit={async () => {
        await change.mutateAsync({ name: user.name, password });
        told(`${user.name} has another password, and is signed out everywhere.`);
      }}
    >
      <Text size="sm">It signs {user.name} out everywhere.</Text>
      <PasswordInput
        label="New password"
        description={`At least ${PASSWORD_LENGTH_MIN} characters`}
        value={password}
        autoComplete="new-password"
        onChange={(event) => setPassword(event.currentTarget.value)}
        data-autofocus
      />
    </FormOf>
  );
}
