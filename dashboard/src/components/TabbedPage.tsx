/** A page in parts, of which the address says which one is open; the first one where it is silent. */
import { Group, Tabs } from "@mantine/core";
import type { ComponentType, ReactElement, ReactNode } from "react";
import { useIsAdmin } from "@/api/session";

interface Part<V extends string> {
  value: V;
  label: string;
  Part: ComponentType;
  /** Beside its label: how much waits there. */
  Mark?: ComponentType;
  /** Shown to admins alone; the server refuses the others anyway. */
  adminOnly?: boolean;
}

interface TabbedPageProps<V extends string> {
  parts: readonly Part<V>[];
  /** What the address says. */
  tab: V | undefined;
  /** Undefined for the first part. */
  onChange: (tab: V | undefined) => void;
  /** At the other end of the row of tabs. */
  aside?: ReactNode;
}

export function TabbedPage<V extends string>(props: TabbedPageProps<V>): ReactElement {
  const { parts, tab, onChange, aside } = props;
  const isAdmin = useIsAdmin();
  const shown = parts.filter((one) => isAdmin || !one.adminOnly);
  const first = shown[0]?.value;
  const open = shown.find((one) => one.value === tab)?.value ?? first ?? null;
  const choose = (value: string | null): void => {
    const chosen = shown.find((one) => one.value === value)?.value;
    onChange(chosen === first ? undefined : chosen);
  };
  return (
    <Tabs value={open} keepMounted={false} onChange={choose}>
      <Group justify="space-between" align="flex-end" mb="md" gap="sm">
        <Tabs.List
          flex="1 1 260px"
          miw={0}
          style={{ flexWrap: "nowrap", overflowX: "auto", overflowY: "hidden" }}
        >
          {shown.map(({ value, label, Mark }) => (
            <Tabs.Tab key={value} value={value} flex="none" rightSection={Mark && <Mark />}>
              {label}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        {aside}
      </Group>
      {shown.map(({ value, Part: Inside }) => (
        <Tabs.Panel key={value} value={value}>
          <Inside />
        </Tabs.Panel>
      ))}
    </Tabs>
  );
}
