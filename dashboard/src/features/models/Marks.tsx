/** How do a model's type, provider and state look? A coloured badge with its word, a sign. */
import { Badge, Text } from "@mantine/core";
import type { ReactElement } from "react";
import { ProviderDot } from "@/components/Figures";
import { Icon } from "@/components/icons";
import { providerName } from "@/lib/providers";
import classes from "./Models.module.css";

const COLORS: Readonly<Record<string, string>> = {
  text: "blue",
  image: "grape",
  video: "orange",
  audio: "teal",
  embedding: "indigo",
  rerank: "lime",
  search: "gray",
};

export function TypeBadge({ type }: { type: string }): ReactElement {
  return (
    <Badge color={COLORS[type] ?? "gray"} className={classes.badge} data-type={type}>
      {type}
    </Badge>
  );
}

export function ProviderBadge({ provider }: { provider: string }): ReactElement {
  return (
    <Badge
      variant="default"
      className={classes.badge}
      leftSection={<ProviderDot provider={provider} />}
      maw="100%"
      title={provider}
    >
      <bdi>{providerName(provider)}</bdi>
    </Badge>
  );
}

export function ActiveMark({ active }: { active: boolean }): ReactElement {
  return (
    <Text component="span" size="sm" className={active ? classes.good : classes.off}>
      {active ? <Icon name="check" /> : <Icon name="close" />}
      <span className="visually-hidden">{active ? "active" : "not active"}</span>
    </Text>
  );
}

export function DefaultMark({ isDefault, type }: { isDefault: boolean; type: string }) {
  if (!isDefault) return <span className="visually-hidden">not the default</span>;
  return (
    <span className={classes.star} title={`Calls for ${type} that name no model take it`}>
      <Icon name="star" />
      <span className="visually-hidden">default of {type}</span>
    </span>
  );
}
