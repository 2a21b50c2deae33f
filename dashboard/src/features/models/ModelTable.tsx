/** The catalogue as a table: sorted, selected, opened. */
import { Button, Group, Text } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { DataTable, type DataTableSortStatus } from "mantine-datatable";
import "mantine-datatable/styles.layer.css";
import { type KeyboardEvent, type ReactElement, useMemo, useRef } from "react";
import { count } from "@/lib/format";
import { COLUMNS } from "./columns";
import classes from "./Models.module.css";
import type { Model } from "./queries";

const route = getRouteApi("/framed/models");
type Sort = "model_name" | "provider" | "price" | "sort_order" | "updated_at";

function figure(model: Model): number | null {
  const { input_cost_per_1m: input, output_cost_per_1m: output, cost_per_image: image } = model;
  const known = model.model_type === "image" ? (image ?? input) : (input ?? output ?? image);
  return known === null || known === undefined ? null : Number(known);
}

function compare(a: Model, b: Model, by: Sort): number {
  switch (by) {
    case "price": {
      const [left, right] = [figure(a), figure(b)];
      // What is not known stands at the end.
      return left === null || right === null
        ? Number(left === null) - Number(right === null)
        : left - right;
    }
    case "sort_order":
      return a.sort_order - b.sort_order;
    default:
      return a[by].localeCompare(b[by]);
  }
}

interface ModelTableProps {
  models: readonly Model[];
  selected: Model[];
  onSelect: (models: Model[]) => void;
  hasMore: boolean;
  onMore: () => void;
  isOld: boolean;
}

export function ModelTable(props: ModelTableProps): ReactElement {
  const { models, selected, onSelect } = props;
  const { sort, descending } = route.useSearch();
  const navigate = useNavigate({ from: "/models" });
  const isSmall = useMediaQuery("(max-width: 47.99em)") ?? false;
  const place = useRef<HTMLDivElement>(null);
  const rows = useMemo(() => {
    if (!sort) return [...models];
    const sorted = [...models].sort((a, b) => compare(a, b, sort));
    return descending === "true" ? sorted.reverse() : sorted;
  }, [models, sort, descending]);
  const status: DataTableSortStatus<Model> = {
    columnAccessor: sort ?? "",
    direction: descending === "true" ? "desc" : "asc",
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const links = [...(place.current?.querySelectorAll<HTMLElement>("[data-row-link]") ?? [])];
    const now = links.indexOf(document.activeElement as HTMLElement);
    if (step === undefined || now < 0) return;
    event.preventDefault();
    links[Math.max(0, Math.min(links.length - 1, now + step))]?.focus();
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the arrows go from row to row in it
    <div ref={place} onKeyDown={onKeyDown} style={{ opacity: props.isOld ? 0.6 : 1 }}>
      <DataTable
        records={rows}
        columns={isSmall ? COLUMNS.small : COLUMNS.wide}
        idAccessor="model_name"
        withTableBorder
        borderRadius="md"
        highlightOnHover
        verticalSpacing={8}
        minHeight={rows.length === 0 ? 120 : undefined}
        rowClassName={(model) => (model.is_active ? "" : (classes.inactive ?? ""))}
        sortStatus={status}
        onSortStatusChange={(wanted) =>
          void navigate({
            search: (before) => ({
              ...before,
              sort: wanted.columnAccessor as Sort,
              descending: wanted.direction === "desc" ? "true" : undefined,
            }),
            replace: true,
          })
        }
        selectionColumnStyle={{ width: 44, minWidth: 44 }}
        selectedRecords={selected}
        onSelectedRecordsChange={onSelect}
        allRecordsSelectionCheckboxProps={{ "aria-label": "Select all models that are shown" }}
        getRecordSelectionCheckboxProps={(model) => ({
          "aria-label": `Select ${model.model_name}`,
        })}
        onRowClick={({ record }) =>
          void navigate({
            search: (before) => ({ ...before, model: record.model_name, part: undefined }),
          })
        }
        scrollAreaProps={{ type: "auto" }}
      />
      <Group justify="center" p="xs">
        {props.hasMore ? (
          <Button variant="default" onClick={props.onMore}>
            More
          </Button>
        ) : (
          <Text size="xs" c="dimmed">
            {count(models.length)} {models.length === 1 ? "model" : "models"}
          </Text>
        )}
      </Group>
    </div>
  );
}
