/** Where can one go, and who is signed in? */
import {
  ActionIcon,
  Badge,
  Button,
  Group,
  Menu,
  NavLink,
  ScrollArea,
  Stack,
  Text,
} from "@mantine/core";
import { Link, useLocation } from "@tanstack/react-router";
import type { ReactElement } from "react";
import { type Session, useSignOut } from "@/api/session";
import { Icon } from "@/components/icons";
import { useUnread } from "@/lib/alerts";
import { short } from "@/lib/format";
import { PAGES, type Page } from "@/navigation";

export function Navigation(props: { session: Session; onNavigate: () => void }): ReactElement {
  const { session, onNavigate } = props;
  const { pathname } = useLocation();
  const signOut = useSignOut();
  const pages: readonly Page[] = PAGES;
  return (
    <Stack h="100%" gap="xs">
      <Group justify="space-between" px={12} h={40}>
        <Text fw={700} size="lg">
          Tollbridge
        </Text>
        <ActionIcon
          size={36}
          hiddenFrom="sm"
          onClick={onNavigate}
          aria-label="Close the navigation"
        >
          <Icon name="close" />
        </ActionIcon>
      </Group>
      <ScrollArea flex={1} component="nav" aria-label="Pages">
        {pages
          .filter((page) => !page.adminOnly || session.role === "admin")
          .map((page) => (
            <NavLink
              key={page.to}
              label={page.label}
              rightSection={page.to === "/alerts" && <Unread />}
              active={pathname === page.to}
              aria-current={pathname === page.to ? "page" : undefined}
              onClick={onNavigate}
              renderRoot={(rest) => <Link to={page.to} {...rest} />}
              styles={{ root: { borderRadius: "var(--mantine-radius-sm)" } }}
            />
          ))}
      </ScrollArea>
      <Menu position="top-start" width={200}>
        <Menu.Target>
          <Button
            variant="subtle"
            color="gray"
            justify="flex-start"
            leftSection={<Icon name="user" />}
          >
            <Text size="sm" truncate>
              {session.user}
            </Text>
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Label>Signed in as {session.role}</Menu.Label>
          <Menu.Item onClick={() => void signOut()}>Sign out</Menu.Item>
        </Menu.Dropdown>
      </Menu>
    </Stack>
  );
}

/** How many alerts nobody has read; nothing where there is none. */
function Unread(): ReactElement | null {
  const unread = useUnread().data?.unread ?? 0;
  if (unread === 0) return null;
  return (
    <Badge size="sm" color="orange" aria-label={`${unread} unread`}>
      {short(unread)}
    </Badge>
  );
}
