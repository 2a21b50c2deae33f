/** One rule: what it looks for, what it says, and whether it counts. */
import { ActionIcon, Badge, Group, Switch, Table, Text } from "@mantine/core";
import { modals } from "@mantine/modals";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import type { ReactElement } from "react";
import { api, read } from "@/api/client";
import { useIsAdmin } from "@/api/session";
import { Provider } from "@/components/Figures";
import { Icon } from "@/components/icons";
import { failed } from "@/components/toasts";
import classes from "./Attribution.module.css";
import { type Rule, readsOf } from "./Rules";
import { Sure } from "./Sure";

const READS_MAX = 6;

interface RuleRowProps {
  rule: Rule;
  /** The ids of your rules, in their order. */
  own: string[];
  edit: (rule: Rule) => void;
}

export function RuleRow({ rule, own, edit }: RuleRowProps): ReactElement {
  const reads = readsOf(rule);
  const shown = reads.slice(0, READS_MAX).join(", ");
  const more = reads.length - READS_MAX;
  return (
    <Table.Tr className={rule.enabled ? undefined : classes.off}>
      <Table.Td data-label="Rule">
        <div>
          {" "}
          <Group gap={6} wrap="nowrap">
            <Text size="sm" style={{ whiteSpace: "nowrap" }}>
              {rule.id}
            </Text>
            {rule.origin === "operator" && (
              <Badge c="var(--mantine-color-text)" color="cyan">
                yours
              </Badge>
            )}
          </Group>
          {rule.note && (
            <Text size="xs" c="dimmed">
              {rule.note}
            </Text>
          )}
        </div>{" "}
      </Table.Td>
      <Table.Td data-label="Looks for" maw={360} className={classes.reads}>
        <Text size="sm" title={reads.join(", ")}>
          {shown || "anything"}
          {more > 0 && (
            <Text span size="xs" c="dimmed">
              {` and ${more} more`}
            </Text>
          )}
        </Text>
      </Table.Td>
      <Table.Td data-label="Says">
        <Provider provider={rule.provider} />
      </Table.Td>
      <Table.Td data-label="How sure">
        <Sure confidence={rule.confidence} />
      </Table.Td>
      <Table.Td data-label="On">
        <Group gap={4} justify="flex-end" wrap="nowrap">
          {rule.origin === "operator" && <OwnRule rule={rule} own={own} edit={edit} />}
          <OnOff rule={rule} />
        </Group>
      </Table.Td>
    </Table.Tr>
  );
}

function useChanged(): () => Promise<void> {
  const queries = useQueryClient();
  return () => queries.invalidateQueries({ queryKey: ["attribution"] });
}

function OnOff({ rule }: { rule: Rule }): ReactElement {
  const changed = useChanged();
  const isAdmin = useIsAdmin();
  const flip = useMutation({
    mutationFn: (enabled: boolean) =>
      read(
        api.POST("/api/v1/attribution/rules/actions/switch", { body: { id: rule.id, enabled } }),
      ),
    onSuccess: changed,
    onError: failed,
  });
  return (
    <Switch
      size="sm"
      aria-label={`Rule ${rule.id}`}
      checked={flip.isPending ? flip.variables : rule.enabled}
      disabled={!isAdmin}
      onChange={(event) => flip.mutate(event.currentTarget.checked)}
    />
  );
}

function OwnRule({ rule, own, edit }: RuleRowProps): ReactElement | null {
  const changed = useChanged();
  const isAdmin = useIsAdmin();
  const place = own.indexOf(rule.id);
  const move = useMutation({
    mutationFn: (ids: string[]) =>
      read(api.POST("/api/v1/attribution/rules/actions/reorder", { body: { ids } })),
    onSuccess: changed,
    onError: failed,
  });
  const remove = useMutation({
    mutationFn: () =>
      read(
        api.DELETE("/api/v1/attribution/rules/{rule_id}", {
          params: { path: { rule_id: rule.id } },
        }),
      ),
    onSuccess: changed,
    onError: failed,
  });
  const moved = (by: number): string[] => {
    const ids = own.filter((id) => id !== rule.id);
    ids.splice(place + by, 0, rule.id);
    return ids;
  };
  const ask = (): void => {
    modals.openConfirmModal({
      title: `Remove the rule ${rule.id}?`,
      children: <Text size="sm">What it has decided stays; new calls are tried without it.</Text>,
      labels: { confirm: "Remove", cancel: "Keep it" },
      confirmProps: { color: "red" },
      onConfirm: () => remove.mutate(),
    });
  };
  if (!isAdmin) return null;
  return (
    <>
      <ActionIcon
        aria-label={`Move ${rule.id} up`}
        disabled={place <= 0 || move.isPending}
        onClick={() => move.mutate(moved(-1))}
      >
        <Icon name="up" />
      </ActionIcon>
      <ActionIcon
        aria-label={`Move ${rule.id} down`}
        disabled={place >= own.length - 1 || move.isPending}
        onClick={() => move.mutate(moved(1))}
      >
        <Icon name="down" />
      </ActionIcon>
      <ActionIcon aria-label={`Edit ${rule.id}`} onClick={() => edit(rule)}>
        <Icon name="edit" />
      </ActionIcon>
      <ActionIcon aria-label={`Remove ${rule.id}`} onClick={ask}>
        <Icon name="trash" />
      </ActionIcon>
    </>
  );
}
