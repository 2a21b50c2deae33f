/** Who may sign in, and what may each of them do? */
import { Badge, Button, Menu, Modal, Select, Stack, Table, Text } from "@mantine/core";
import { type ReactElement, useState } from "react";
import { useSession } from "@/api/session";
import { Confirm } from "@/components/Confirm";
import { Instant } from "@/components/Figures";
import { Icon } from "@/components/icons";
import { More } from "@/components/More";
import { Secret } from "@/components/Secret";
import stack from "@/components/Stacked.module.css";
import { StateOf } from "@/components/States";
import { failed, told } from "@/components/toasts";
import { ROLES, type Role, type User, useChangeUser, useMakeLink, useUsers } from "./queries";
import { SessionsOfUser } from "./Sessions";
import classes from "./Settings.module.css";
import { PasswordForm, ProjectsForm, UserForm } from "./UserForms";

type Doing = "projects" | "password" | "sessions" | "disable";

export function Users(): ReactElement {
  const users = useUsers();
  const change = useChangeUser();
  const makeLink = useMakeLink();
  const [isAdding, setIsAdding] = useState(false);
  const [doing, setDoing] = useState<{ what: Doing; user: User } | null>(null);
  const [link, setLink] = useState<{ user: string; address: string } | null>(null);
  const all = users.data?.pages.flatMap((page) => page.users) ?? [];
  const done = (): void => setDoing(null);

  const setRole = (user: User, role: Role): void =>
    change.mutate(
      { name: user.name, role },
      {
        onError: failed,
        onSuccess: () =>
          told(`${user.name} is ${role} now.`, () =>
            change.mutateAsync({ name: user.name, role: user.role }).catch(failed),
          ),
      },
    );
  const giveLink = async (user: User): Promise<void> => {
    try {
      const made = await makeLink.mutateAsync(user.name);
      setLink({ user: user.name, address: window.location.origin + made.path });
    } catch (error) {
      failed(error);
    }
  };
  const enable = (user: User): void =>
    change.mutate(
      { name: user.name, disabled: false },
      { onError: failed, onSuccess: () => told(`${user.name} may come in again.`) },
    );
  return (
    <>
      <div className={classes.bar} style={{ justifyContent: "flex-end" }}>
        <Button leftSection={<Icon name="plus" />} onClick={() => setIsAdding(true)}>
          New user
        </Button>
      </div>
      <StateOf query={users}>
        {() => (
          <div className={`panel ${classes.wide}`} style={{ padding: 0 }}>
            <Table aria-label="Users" className={stack.stacked}>
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>User</Table.Th>
                  <Table.Th>Role</Table.Th>
                  <Table.Th>Projects</Table.Th>
                  <Table.Th>Signs in by</Table.Th>
                  <Table.Th>Since</Table.Th>
                  <Table.Th>
                    <span className="visually-hidden">More</span>
                  </Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {all.map((user) => (
                  <Row
                    key={user.user_id}
                    user={user}
                    onRole={(role) => setRole(user, role)}
                    onDo={(what) => setDoing({ what, user })}
                    onLink={() => void giveLink(user)}
                    onEnable={() => enable(user)}
                  />
                ))}
              </Table.Tbody>
            </Table>
          </div>
        )}
      </StateOf>
      <More query={users} />
      <UserForm opened={isAdding} onClose={() => setIsAdding(false)} />
      <ProjectsForm user={doing?.what === "projects" ? doing.user : null} onClose={done} />
      <SessionsOfUser user={doing?.what === "sessions" ? doing.user : null} onClose={done} />
      <PasswordForm user={doing?.what === "password" ? doing.user : null} onClose={done} />
      <Confirm
        opened={doing?.what === "disable"}
        title={`Let ${doing?.user.name ?? ""} in no longer?`}
        action="Disable"
        danger
        onClose={done}
        onConfirm={async () => {
          if (!doing) return;
          const { name } = doing.user;
          await change.mutateAsync({ name, disabled: true });
          told(`${name} and their keys are refused from now on.`, () =>
            change.mutateAsync({ name, disabled: false }).catch(failed),
          );
        }}
      >
        <Text size="sm">
          Their sessions end, and their keys are refused. They can be let in again.
        </Text>
      </Confirm>
      <Modal
        opened={link !== null}
        onClose={() => setLink(null)}
        title={`A sign-in link for ${link?.user ?? ""}`}
        size="lg"
      >
        <Stack>
          <Text size="sm">It signs in once, and for a time. Hand it to nobody else.</Text>
          {link && <Secret label="Link" value={link.address} />}
        </Stack>
      </Modal>
    </>
  );
}

interface RowProps {
  user: User;
  onRole: (role: Role) => void;
  onDo: (what: Doing) => void;
  onLink: () => void;
  onEnable: () => void;
}

function Row({ user, onRole, onDo, onLink, onEnable }: RowProps): ReactElement {
  const isMe = useSession()?.user === user.name;
  const isDisabled = user.disabled_at !== null;
  const ways = [user.has_password && "password", user.oidc && "company account"].filter(Boolean);
  return (
    <Table.Tr className={isDisabled ? classes.off : ""}>
      <Table.Td data-label="User" className={classes.any}>
        <bdi>{user.name}</bdi>{" "}
        {isMe && (
          <Text span size="xs" c="dimmed">
            you
          </Text>
        )}{" "}
        {isDisabled && (
          <Badge color="gray" className={classes.badge}>
            disabled
          </Badge>
        )}
      </Table.Td>
      <Table.Td data-label="Role">
        <Select
          aria-label={`Role of ${user.name}`}
          data={[...ROLES]}
          value={user.role}
          allowDeselect={false}
          disabled={isDisabled}
          w={124}
          onChange={(role) => role && role !== user.role && onRole(role as Role)}
        />
      </Table.Td>
      <Table.Td data-label="Projects" className={classes.any}>
        {user.projects.length > 0 ? (
          user.projects.join(", ")
        ) : (
          <Text size="sm" c="dimmed">
            {user.role === "admin" ? "all" : "none"}
          </Text>
        )}
      </Table.Td>
      <Table.Td data-label="Signs in by">{ways.length > 0 ? ways.join(", ") : "a link"}</Table.Td>
      <Table.Td data-label="Since">
        <Instant iso={user.created_at} />
      </Table.Td>
      <Table.Td data-label="" className={classes.number}>
        <Menu position="bottom-end">
          <Menu.Target>
            <Button
              size="compact-sm"
              variant="default"
              rightSection={<Icon name="expand" size={12} />}
              aria-label={`Change ${user.name}`}
            >
              Change
            </Button>
          </Menu.Target>
          <Menu.Dropdown>
            <Menu.Item onClick={() => onDo("projects")}>Projects …</Menu.Item>
            <Menu.Item onClick={() => onDo("password")}>Password …</Menu.Item>
            <Menu.Item onClick={() => onDo("sessions")}>Sessions …</Menu.Item>
            <Menu.Item onClick={onLink} disabled={isDisabled}>
              Sign-in link …
            </Menu.Item>
            {isDisabled ? (
              <Menu.Item onClick={onEnable}>Let in again</Menu.Item>
            ) : (
              <Menu.Item color="red" disabled={isMe} onClick={() => onDo("disable")}>
                Disable …
              </Menu.Item>
            )}
          </Menu.Dropdown>
        </Menu>
      </Table.Td>
    </Table.Tr>
  );
}
