/** One model: what it is, what it costs, how it is used, what became of it. */
import { Button, Drawer, Group, Stack, Tabs, Text } from "@mantine/core";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import type { ReactElement } from "react";
import { Instant } from "@/components/Figures";
import { Lines, StateOf } from "@/components/States";
import { failed, told } from "@/components/toasts";
import { Changes } from "./Changes";
import { PriceText } from "./columns";
import { ProviderBadge, TypeBadge } from "./Marks";
import classes from "./Models.module.css";
import { Prices } from "./Prices";
import { type Model, useModel, useSetDefault, useSwitch } from "./queries";
import { UsePart } from "./Use";
import { fieldTitle, valueText } from "./values";

const route = getRouteApi("/framed/models");
const PARTS = [
  ["about", "About"],
  ["prices", "Prices"],
  ["use", "Use"],
  ["changes", "Changes"],
] as const;
type Part = "prices" | "use" | "changes";

export function ModelDrawer({ canEdit, models }: { canEdit: boolean; models: readonly Model[] }) {
  const { model: name, part } = route.useSearch();
  const navigate = useNavigate({ from: "/models" });
  const model = useModel(name);
  const close = (): void =>
    void navigate({ search: (before) => ({ ...before, model: undefined, part: undefined }) });
  return (
    <Drawer
      opened={name !== undefined}
      onClose={close}
      position="right"
      size={760}
      title={
        <Text fw={600} size="lg" style={{ overflowWrap: "anywhere" }}>
          <bdi>{name}</bdi>
        </Text>
      }
      closeButtonProps={{ "aria-label": "Close" }}
    >
      <StateOf query={model} loading={<Lines count={8} />}>
        {(found) => (
          <Stack gap="md">
            <Head model={found} canEdit={canEdit} models={models} />
            <Tabs
              value={part ?? "about"}
              onChange={(value) =>
                void navigate({
                  search: (before) => ({
                    ...before,
                    part: value === "about" ? undefined : (value as Part),
                  }),
                  replace: true,
                })
              }
              keepMounted={false}
            >
              <Tabs.List mb="md">
                {PARTS.map(([value, label]) => (
                  <Tabs.Tab key={value} value={value}>
                    {label}
                  </Tabs.Tab>
                ))}
              </Tabs.List>
              <Tabs.Panel value="about">
                <About model={found} />
              </Tabs.Panel>
              <Tabs.Panel value="prices">
                <Prices model={found} canEdit={canEdit} />
              </Tabs.Panel>
              <Tabs.Panel value="use">
                <UsePart name={found.model_name} />
              </Tabs.Panel>
              <Tabs.Panel value="changes">
                <Changes model={found} canEdit={canEdit} />
              </Tabs.Panel>
            </Tabs>
          </Stack>
        )}
      </StateOf>
    </Drawer>
  );
}

function Head(props: { model: Model; canEdit: boolean; models: readonly Model[] }): ReactElement {
  const { model, canEdit, models } = props;
  const navigate = useNavigate({ from: "/models" });
  const change = useSwitch();
  const makeDefault = useSetDefault();
  const name = model.model_name;
  const switchTo = (isActive: boolean): void =>
    change.mutate(
      { names: [name], isActive },
      {
        onError: failed,
        onSuccess: () =>
          told(`${name} is ${isActive ? "" : "not "}active now.`, () =>
            change.mutateAsync({ names: [name], isActive: !isActive }).catch(failed),
          ),
      },
    );
  const setDefault = (): void => {
    const before = models.find((one) => one.is_default && one.model_type === model.model_type);
    makeDefault.mutate(model, {
      onError: failed,
      onSuccess: () =>
        told(
          `Calls for ${model.model_type} that name no model take ${name} now.`,
          before && (() => makeDefault.mutateAsync(before).catch(failed)),
        ),
    });
  };
  return (
    <Stack gap="sm">
      <Group gap="xs">
        <TypeBadge type={model.model_type} />
        <ProviderBadge provider={model.provider} />
        <PriceText model={model} />
        {model.is_default && <Text size="sm">★ default of {model.model_type}</Text>}
        {!model.is_active && <Text size="sm">✕ not active</Text>}
      </Group>
      <Group gap="xs">
        {canEdit && (
          <>
            <Button
              size="compact-sm"
              onClick={() => void navigate({ search: (before) => ({ ...before, edit: "true" }) })}
            >
              Edit
            </Button>
            <Button
              size="compact-sm"
              variant="default"
              disabled={model.is_default || !model.is_active}
              title={model.is_active ? undefined : "Only an active model can be the default"}
              onClick={setDefault}
            >
              Set default
            </Button>
            <Button
              size="compact-sm"
              variant="default"
              disabled={model.is_default && model.is_active}
              title={model.is_default ? "The default of its type has to be active" : undefined}
              onClick={() => switchTo(!model.is_active)}
            >
              {model.is_active ? "Deactivate" : "Activate"}
            </Button>
          </>
        )}
        <Button
          size="compact-sm"
          variant="subtle"
          renderRoot={(rest) => <Link to="/playground" search={{ model: name }} {...rest} />}
        >
          Open in the playground
        </Button>
      </Group>
    </Stack>
  );
}

const SHOWN = ["display_name", "description", "context_window", "max_output_tokens"] as const;
const CAN = ["supports_json_mode", "supports_vision", "supports_function_calling"] as const;

function About({ model }: { model: Model }): ReactElement {
  const row = (field: keyof Model): ReactElement => (
    <div key={field} style={{ display: "contents" }}>
      <dt>{fieldTitle(field)}</dt>
      <dd>
        <bdi>{valueText(field, model[field])}</bdi>
      </dd>
    </div>
  );
  return (
    <dl className={classes.facts}>
      {SHOWN.map(row)}
      {model.model_type === "image" && row("valid_sizes")}
      {CAN.map(row)}
      {row("sort_order")}
      {row("origin")}
      <dt>Last change</dt>
      <dd>
        <Instant iso={model.updated_at} /> by {model.updated_by}
      </dd>
    </dl>
  );
}
