/** What is one's own here: the password, where one is signed in, and keys? */
import { Button, Code, Group, SimpleGrid, Stack, Text } from "@mantine/core";
import { type ReactElement, useState } from "react";
import { type Session, useSession, useSignOut } from "@/api/session";
import { Instant } from "@/components/Figures";
import { Icon } from "@/components/icons";
import { More } from "@/components/More";
import { Panel, StateOf } from "@/components/States";
import { KeyForm } from "./KeyForm";
import { KeyTable } from "./KeyTable";
import { OwnPassword } from "./OwnPassword";
import { useKeys } from "./queries";
import { stateOf } from "./rights";
import { Sessions } from "./Sessions";

export function Account(): ReactElement | null {
  const session = useSession();
  if (!session) return null;
  return (
    <Stack gap="md">
      <SimpleGrid cols={{ base: 1, md: 2 }}>
        <Who session={session} />
        <OwnPassword session={session} />
      </SimpleGrid>
      <Panel title="Where you are signed in">
        <Sessions />
      </Panel>
      <OwnKeys session={session} />
    </Stack>
  );
}

function Who({ session }: { session: Session }): ReactElement {
  const signOut = useSignOut();
  return (
    <Panel title="You">
      <Stack gap="sm">
        <Text size="sm">
          You are <b>{session.user}</b>, {session.role}
          {session.projects.length > 0 && ` of ${session.projects.join(", ")}`}. Unused, this
          session ends <Instant iso={session.expires_at} />; using it moves that on.
        </Text>
        <Group>
          <Button variant="default" onClick={() => void signOut()}>
            Sign out here
          </Button>
        </Group>
      </Stack>
    </Panel>
  );
}

function OwnKeys({ session }: { session: Session }): ReactElement {
  const keys = useKeys(session.user);
  const [isAdding, setIsAdding] = useState(false);
  const all = keys.data?.pages.flatMap((page) => page.keys) ?? [];
  const inForce = all.filter((key) => stateOf(key) === "valid");
  const add = session.may_mint_keys && (
    <Button
      size="compact-sm"
      leftSection={<Icon name="plus" size={14} />}
      onClick={() => setIsAdding(true)}
    >
      New key
    </Button>
  );
  return (
    <Panel title="Your keys" aside={add}>
      <Stack gap="sm">
        <StateOf
          query={keys}
          isEmpty={() => inForce.length === 0}
          empty={<Text size="sm">You have no key in force.</Text>}
        >
          {() => <KeyTable keys={inForce} label="Your keys" />}
        </StateOf>
        <More query={keys} />
        <Text size="sm" c="dimmed">
          Programs use them: <Code>Authorization: Bearer …</Code>
          {!session.may_mint_keys && " New ones are made by an admin, or a manager of a project."}
        </Text>
      </Stack>
      <KeyForm opened={isAdding} onClose={() => setIsAdding(false)} />
    </Panel>
  );
}
