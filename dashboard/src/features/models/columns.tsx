/** Which nine columns has the catalogue, and how is it on a small screen? */
import { Group, Text } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import type { DataTableColumn } from "mantine-datatable";
import type { ReactElement } from "react";
import { Instant } from "@/components/Figures";
import { Name } from "@/components/Name";
import { UNKNOWN } from "@/lib/format";
import { ActiveMark, DefaultMark, ProviderBadge, TypeBadge } from "./Marks";
import classes from "./Models.module.css";
import type { Model } from "./queries";

/** The price as the server writes it: its figures are the ones that other programs read too. */
export function PriceText({ model }: { model: Model }): ReactElement {
  const known =
    model.input_cost_per_1m ?? model.output_cost_per_1m ?? model.cost_per_image ?? undefined;
  if (known === undefined && !/\d/.test(model.pricing_display)) {
    return (
      <Text component="span" size="sm" c="dimmed" title="No price is known of it">
        {UNKNOWN}
      </Text>
    );
  }
  return <span className={classes.price}>{model.pricing_display}</span>;
}

function Opener({ model }: { model: Model }): ReactElement {
  return (
    <Link
      from="/models"
      to="/models"
      search={(before) => ({ ...before, model: model.model_name, part: undefined })}
      className={classes.open}
      title={model.model_name}
      data-row-link
      onClick={(event) => event.stopPropagation()}
    >
      <bdi>{model.model_name}</bdi>
    </Link>
  );
}

const wide: DataTableColumn<Model>[] = [
  {
    accessor: "model_name",
    title: "Model",
    sortable: true,
    width: 180,
    render: (model) => <Opener model={model} />,
  },
  {
    accessor: "display_name",
    title: "Display name",
    width: 180,
    render: (model) => <Name>{model.display_name}</Name>,
  },
  {
    accessor: "model_type",
    title: "Type",
    width: 88,
    render: (model) => <TypeBadge type={model.model_type} />,
  },
  {
    accessor: "provider",
    sortable: true,
    width: 124,
    render: (model) => <ProviderBadge provider={model.provider} />,
  },
  {
    accessor: "price",
    title: "Price in force",
    sortable: true,
    textAlign: "right",
    width: 190,
    render: (model) => <PriceText model={model} />,
  },
  {
    accessor: "is_active",
    title: "Active",
    textAlign: "center",
    width: 70,
    render: (model) => <ActiveMark active={model.is_active} />,
  },
  {
    accessor: "is_default",
    title: "Default",
    textAlign: "center",
    width: 74,
    render: (model) => <DefaultMark isDefault={model.is_default} type={model.model_type} />,
  },
  {
    accessor: "sort_order",
    title: "Order",
    sortable: true,
    textAlign: "right",
    width: 80,
  },
  {
    accessor: "updated_at",
    title: "Updated",
    sortable: true,
    textAlign: "right",
    width: 122,
    render: (model) => <Instant iso={model.updated_at} />,
  },
];

const small: DataTableColumn<Model>[] = [
  {
    accessor: "model_name",
    title: "Model",
    render: (model) => (
      <div className={classes.small}>
        <Group gap={6} wrap="nowrap">
          <Opener model={model} />
          <DefaultMark isDefault={model.is_default} type={model.model_type} />
          <ActiveMark active={model.is_active} />
        </Group>
        <Group gap={6}>
          <TypeBadge type={model.model_type} />
          <ProviderBadge provider={model.provider} />
        </Group>
        <PriceText model={model} />
      </div>
    ),
  },
];

export const COLUMNS = { wide, small };
