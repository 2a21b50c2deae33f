/** Which providers can be reached, with which keys, and what is a missing key called? */
import { Badge, Button, Code, Group, Stack, Table, Text } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { type ReactElement, useState } from "react";
import type { Schemas } from "@/api/client";
import { useIsAdmin } from "@/api/session";
import { Confirm } from "@/components/Confirm";
import { ProviderDot } from "@/components/Figures";
import stack from "@/components/Stacked.module.css";
import { Empty, Panel, StateOf } from "@/components/States";
import { told } from "@/components/toasts";
import { type Endpoint, useEndpoints } from "@/lib/endpoints";
import { count } from "@/lib/format";
import { providerName } from "@/lib/providers";
import { EndpointKeyForm } from "./EndpointKeyForm";
import { useDeleteEndpointKey } from "./queries";
import classes from "./Settings.module.css";

export function Endpoints(): ReactElement {
  const endpoints = useEndpoints();
  const isAdmin = useIsAdmin();
  const remove = useDeleteEndpointKey();
  const [adding, setAdding] = useState<string | null>(null);
  const [ending, setEnding] = useState<{ endpoint: string; key: string } | null>(null);
  return (
    <>
      <StateOf
        query={endpoints}
        isEmpty={(found) => found.endpoints.length === 0 && found.absent.length === 0}
        empty={<Empty says="No provider is known here." />}
      >
        {(found) => (
          <Stack gap="md">
            <div className={`panel ${classes.wide}`} style={{ padding: 0 }}>
              <Table aria-label="Endpoints" className={stack.stacked}>
                <Table.Thead>
                  <Table.Tr>
                    <Table.Th>Endpoint</Table.Th>
                    <Table.Th>Address</Table.Th>
                    <Table.Th>Keys</Table.Th>
                    <Table.Th>State</Table.Th>
                    <Table.Th>Changed by</Table.Th>
                  </Table.Tr>
                </Table.Thead>
                <Table.Tbody>
                  {found.endpoints.map((one) => (
                    <Row
                      key={one.name}
                      endpoint={one}
                      canEdit={isAdmin}
                      onAdd={() => setAdding(one.name)}
                      onDelete={(key) => setEnding({ endpoint: one.name, key })}
                    />
                  ))}
                </Table.Tbody>
              </Table>
            </div>
            <Text size="sm" c="dimmed">
              Order, prices and what is switched on:{" "}
              <Link to="/providers" className={classes.link}>
                Providers
              </Link>
              .
            </Text>
            <Absent absent={found.absent} />
          </Stack>
        )}
      </StateOf>
      <EndpointKeyForm endpoint={adding} onClose={() => setAdding(null)} />
      <Confirm
        opened={ending !== null}
        title={`Delete the key ${ending?.key ?? ""} of ${ending?.endpoint ?? ""}?`}
        action="Delete for good"
        name={ending?.key ?? ""}
        danger
        onClose={() => setEnding(null)}
        onConfirm={async () => {
          if (!ending) return;
          await remove.mutateAsync(ending);
          told(`${ending.endpoint} has its key ${ending.key} no longer.`);
        }}
      >
        <Text size="sm">
          It is kept nowhere else in Tollbridge. Without any key the endpoint serves nothing.
        </Text>
      </Confirm>
    </>
  );
}

const SOURCES: Readonly<Record<string, string>> = {
  file: "the configuration file",
  api: "this page and the API",
  builtin: "built in",
};

function Row(props: {
  endpoint: Endpoint;
  canEdit: boolean;
  onAdd: () => void;
  onDelete: (key: string) => void;
}): ReactElement {
  const { endpoint: one, canEdit, onAdd, onDelete } = props;
  const isMine = one.source === "api";
  const isOn = one.enabled && one.withdrawn_at === null;
  return (
    <Table.Tr className={isOn ? "" : classes.off}>
      <Table.Td data-label="Endpoint" className={classes.any}>
        <Group gap={8} wrap="nowrap" align="baseline">
          <ProviderDot provider={one.provider} />
          <div>
            <Text size="sm" fw={600}>
              {one.name}
            </Text>
            <Text size="xs" c="dimmed">
              {providerName(one.provider)}
            </Text>
          </div>
        </Group>
      </Table.Td>
      <Table.Td data-label="Address" className={classes.any}>
        <Text size="xs">{one.base_url}</Text>
      </Table.Td>
      <Table.Td data-label="Keys" className={classes.any}>
        <Stack gap={4} align="flex-start">
          {one.keys.map((key) => (
            <Group key={`${key.source} ${key.name}`} gap={6}>
              <Code>{key.name}</Code>
              <Text size="xs" c="dimmed">
                {key.source}
              </Text>
              {Object.entries(key.resting).length > 0 && (
                <Badge
                  color="orange"
                  className={classes.badge}
                  title={Object.values(key.resting).join("; ")}
                >
                  rests on {count(Object.keys(key.resting).length)}
                </Badge>
              )}
              {canEdit && isMine && key.source === "stored" && (
                <Button
                  size="compact-xs"
                  variant="subtle"
                  color="red"
                  aria-label={`Delete the key ${key.name} of ${one.name}`}
                  onClick={() => onDelete(key.name)}
                >
                  Delete
                </Button>
              )}
            </Group>
          ))}
          {one.keys.length === 0 && (
            <Text size="sm" c="dimmed">
              {one.has_key ? "needs none" : "none"}
            </Text>
          )}
          {canEdit && isMine && (
            <Button
              size="compact-xs"
              variant="default"
              aria-label={`Add a key to ${one.name}`}
              onClick={onAdd}
            >
              Add a key
            </Button>
          )}
        </Stack>
      </Table.Td>
      <Table.Td data-label="State">
        <Badge className={classes.badge} color={isOn && one.has_key ? "green" : "gray"}>
          {one.withdrawn_at ? "withdrawn" : !one.enabled ? "off" : one.has_key ? "on" : "no key"}
        </Badge>
      </Table.Td>
      <Table.Td data-label="Changed by">{SOURCES[one.source] ?? one.source}</Table.Td>
    </Table.Tr>
  );
}

function Absent({ absent }: { absent: Schemas["AbsentEndpoint"][] }): ReactElement | null {
  if (absent.length === 0) return null;
  return (
    <Panel title="Known, and not used here">
      <Text size="sm" c="dimmed" mb="sm">
        Set the variable in the environment of Tollbridge, or in its .env, and start it again.
      </Text>
      <div className={classes.wide}>
        <Table aria-label="Known endpoints that are not used">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Endpoint</Table.Th>
              <Table.Th>Its key is read from</Table.Th>
              <Table.Th>Its address is read from</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {absent.map((one) => (
              <Table.Tr key={one.name}>
                <Table.Td>{one.display_name}</Table.Td>
                <Table.Td>
                  {one.key_variable ? <Code>{one.key_variable}</Code> : "needs none"}
                </Table.Td>
                <Table.Td>{one.address_variable && <Code>{one.address_variable}</Code>}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </div>
    </Panel>
  );
}
