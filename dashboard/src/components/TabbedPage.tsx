/** A page in parts, of which the address says which one is open; the first one where it is silent. */
import { Tabs } from "@mantine/core";
import type { ComponentType, ReactElement } from "react";
import { useIsAdmin } from "@/api/session";

interface Part<V extends string> {
  value: V;
  label: string;
  Part: ComponentType;
  /** Shown to admins alone; the server refuses the others anyway. */
  adminOnly?: boolean;
}

interface TabbedPageProps<V extends string> {
  parts: readonly Part<V>[];
  /** What the address says. */
  tab: V | undefined;
  /** Undefined for the first part. */
  onChange: (tab: V | undefined) => void;
}

export function TabbedPage<V extends string>(props: TabbedPageProps<V>): ReactElement {
  const { parts, tab, onChange } = props;
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
      <Tabs.List mb="md" style={{ flexWrap: "nowrap", overflowX: "auto", overflowY: "hidden" }}>
        {shown.map(({ value, label }) => (
          <Tabs.Tab key={value} value={value} flex="none">
            {label}
          </Tabs.Tab>
        ))}
      </Tabs.List>
      {shown.map(({ value, Part: Inside }) => (
        <Tabs.Panel key={value} value={value}>
          <Inside />
        </Tabs.Panel>
      ))}
    </Tabs>
  );
}
