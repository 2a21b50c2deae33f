/** How is a user added, given projects, or another password? */
import { Modal, PasswordInput, Select, TagsInput, Text, TextInput } from "@mantine/core";
import { type ReactElement, useState } from "react";
import { FormOf } from "@/components/FormOf";
import { told } from "@/components/toasts";
import { PASSWORD_LENGTH_MIN } from "./account";
import {
  ROLES,
  type Role,
  type User,
  useChangeUser,
  useCreateUser,
  useSetPassword,
} from "./queries";

const SAYS: Readonly<Record<Role, string>> = {
  admin: "sees and changes everything",
  manager: "sees and changes what belongs to their projects, sees their own",
  member: "sees their own",
};

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
        onClose();
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
        onClose();
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
        onClose();
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
