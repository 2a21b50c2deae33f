/** Who is told outside of these pages? Addresses that alerts are sent to, signed. */
import { Badge, Button, Group, Switch, Table, Text } from "@mantine/core";
import { getRouteApi } from "@tanstack/react-router";
import { Fragment, type ReactElement, useState } from "react";
import type { Schemas } from "@/api/client";
import { Confirm } from "@/components/Confirm";
import { Icon } from "@/components/icons";
import { Name } from "@/components/Name";
import { Empty, Panel, StateOf } from "@/components/States";
import { failed, told } from "@/components/toasts";
import { Deliveries } from "./Deliveries";
import { useRemoveWebhook, useSwitchWebhook, useWebhooks } from "./query";
import { WebhookForm } from "./WebhookForm";

type Webhook = Schemas["Webhook"];
const route = getRouteApi("/framed/alerts");

export function Webhooks(): ReactElement {
  const { webhook: open } = route.useSearch();
  const navigate = route.useNavigate();
  const [isAdding, setIsAdding] = useState(false);
  const [ending, setEnding] = useState<string | null>(null);
  const webhooks = useWebhooks();
  const remove = useRemoveWebhook();
  const add = (
    <Button
      size="compact-sm"
      leftSection={<Icon name="plus" size={14} />}
      onClick={() => setIsAdding(true)}
    >
      New webhook
    </Button>
  );
  return (
    <Panel title="Webhooks" aside={add}>
      <StateOf
        query={webhooks}
        isEmpty={(found) => found.webhooks.length === 0}
        empty={<Empty says="Alerts are sent nowhere: they stand in the inbox alone." />}
      >
        {(found) => (
          <Table.ScrollContainer minWidth={640}>
            <Table aria-label="Webhooks">
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>Webhook</Table.Th>
                  <Table.Th>From</Table.Th>
                  <Table.Th>In use</Table.Th>
                  <Table.Th>
                    <span className="visually-hidden">Deliveries, removal</span>
                  </Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {found.webhooks.map((one) => (
                  <Fragment key={one.webhook_id}>
                    <Row
                      webhook={one}
                      isOpen={open === one.name}
                      onRemove={() => setEnding(one.name)}
                    />
                    {open === one.name && (
                      <Table.Tr>
                        <Table.Td colSpan={4}>
                          <Deliveries webhook={one.name} />
                        </Table.Td>
                      </Table.Tr>
                    )}
                  </Fragment>
                ))}
              </Table.Tbody>
            </Table>
          </Table.ScrollContainer>
        )}
      </StateOf>
      {isAdding && <WebhookForm onClose={() => setIsAdding(false)} />}
      <Confirm
        opened={ending !== null}
        title={`Remove the webhook ${ending ?? ""}?`}
        action="Remove for good"
        name={ending ?? ""}
        danger
        onClose={() => setEnding(null)}
        onConfirm={async () => {
          if (ending === null) return;
          // What was sent to it is not asked for again once it is gone.
          await navigate({ to: ".", search: (before) => ({ ...before, webhook: undefined }) });
          await remove.mutateAsync(ending);
          told(`${ending} gets no alerts from now on.`);
        }}
      >
        <Text size="sm">The record of what was sent to it goes with it, and its secret.</Text>
      </Confirm>
    </Panel>
  );
}

function Row(props: { webhook: Webhook; isOpen: boolean; onRemove: () => void }): ReactElement {
  const { webhook, isOpen, onRemove } = props;
  const navigate = route.useNavigate();
  const flip = useSwitchWebhook();
  const toggle = (): void =>
    void navigate({
      to: ".",
      search: (before) => ({ ...before, webhook: isOpen ? undefined : webhook.name }),
    });
  return (
    <Table.Tr>
      <Table.Td maw={360}>
        <Name strong>{webhook.name}</Name>
        <Name minor>{webhook.url}</Name>
      </Table.Td>
      <Table.Td>
        <Badge c="var(--mantine-color-text)" color="gray">
          {webhook.severity_min}
        </Badge>
      </Table.Td>
      <Table.Td>
        <Switch
          size="sm"
          aria-label={`Send to ${webhook.name}`}
          checked={webhook.enabled}
          onChange={(event) =>
            flip.mutate(
              { name: webhook.name, enabled: event.currentTarget.checked },
              { onError: failed },
            )
          }
        />
      </Table.Td>
      <Table.Td>
        <Group gap="xs" justify="flex-end" wrap="nowrap">
          <Button size="compact-sm" variant="default" aria-expanded={isOpen} onClick={toggle}>
            {isOpen ? "Close" : "Deliveries"}
          </Button>
          <Button
            size="compact-sm"
            variant="subtle"
            color="red"
            aria-label={`Remove ${webhook.name}`}
            onClick={onRemove}
          >
            Remove
          </Button>
        </Group>
      </Table.Td>
    </Table.Tr>
  );
}
