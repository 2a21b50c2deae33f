/** One row per provider and category: share, success, latency, what a thousand calls cost, state. */
import { Text } from "@mantine/core";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { DataTable, type DataTableColumn } from "mantine-datatable";
import "mantine-datatable/styles.layer.css";
import type { ReactElement } from "react";
import { Hint, Money, Provider } from "@/components/Figures";
import { thousandfold } from "@/lib/decimal";
import type { Endpoint } from "@/lib/endpoints";
import { count, duration, percent, words } from "@/lib/format";
import { providerName } from "@/lib/providers";
import type { ProviderView } from "./query";
import { Success } from "./Success";

interface ProviderTableProps {
  rows: readonly ProviderView[];
  endpoints: readonly Endpoint[];
  isOld: boolean;
}

type Row = ProviderView & { id: string; callShare: number | null; state: string };
const SORTS: Readonly<Record<string, (row: Row) => number | string>> = {
  provider: (row) => providerName(row.provider),
  callShare: (row) => -(row.callShare ?? -1),
  success: (row) => -(row.attempt_success_rate ?? -1),
  p50: (row) => row.latency_ms?.p50 ?? Number.POSITIVE_INFINITY,
  p95: (row) => row.latency_ms?.p95 ?? Number.POSITIVE_INFINITY,
  cost: (row) => Number(row.average_cost_usd ?? Number.POSITIVE_INFINITY),
};

/** Worst first: an open breaker is what one must know. */
function stateOf(provider: string, endpoints: readonly Endpoint[]): string {
  const own = endpoints.filter((one) => one.provider === provider && !one.withdrawn_at);
  if (own.length === 0) return "no endpoint here";
  const breakers = own.flatMap((one) => Object.values(one.breakers));
  if (breakers.includes("open")) return "✕ breaker open";
  if (breakers.includes("half_open")) return "… being tried again";
  return own.some((one) => one.enabled) ? "✔ in use" : "switched off";
}

export function ProviderTable(props: ProviderTableProps): ReactElement {
  const { sort } = useSearch({ from: "/framed/providers" });
  const navigate = useNavigate({ from: "/providers" });
  const calls = props.rows.reduce((sum, row) => sum + row.calls, 0);
  const key = SORTS[sort ?? "callShare"] ?? SORTS.callShare;
  const rows = props.rows
    .map(
      (row): Row => ({
        ...row,
        id: `${row.provider}/${row.category}`,
        callShare: calls > 0 ? row.calls / calls : null,
        state: stateOf(row.provider, props.endpoints),
      }),
    )
    .sort((one, other) => {
      const [a, b] = [key?.(one) ?? 0, key?.(other) ?? 0];
      return a < b ? -1 : a > b ? 1 : 0;
    });
  return (
    <DataTable<Row>
      records={rows}
      idAccessor="id"
      columns={COLUMNS}
      fetching={props.isOld}
      sortStatus={{ columnAccessor: sort ?? "callShare", direction: "asc" }}
      onSortStatusChange={({ columnAccessor }) =>
        void navigate({ search: (before) => ({ ...before, sort: columnAccessor as typeof sort }) })
      }
      minHeight={120}
      highlightOnHover
      verticalSpacing={6}
      scrollAreaProps={{ type: "auto", offsetScrollbars: "x" }}
    />
  );
}

const right = { textAlign: "right" as const, sortable: true };
const COLUMNS: DataTableColumn<Row>[] = [
  {
    accessor: "provider",
    title: "Provider",
    sortable: true,
    width: 190,
    render: (row) => (
      <Link
        to="/logs"
        search={{ provider: row.provider, category: row.category }}
        style={{ color: "inherit", textDecoration: "none" }}
      >
        <Provider provider={row.provider} bucket={words(row.category)} />
      </Link>
    ),
  },
  {
    accessor: "callShare",
    title: "Calls served",
    ...right,
    render: (row) => (
      <>
        {percent(row.callShare)}
        <Text size="xs" c="dimmed">
          {count(row.calls)}
        </Text>
      </>
    ),
  },
  {
    accessor: "success",
    title: "Success",
    ...right,
    render: (row) => <Success provider={row} />,
  },
  {
    accessor: "p50",
    title: "p50",
    ...right,
    render: (row) => <span className="tabular">{duration(row.latency_ms?.p50)}</span>,
  },
  {
    accessor: "p95",
    title: "p95",
    ...right,
    render: (row) => (
      <Hint label={`p99 ${duration(row.latency_ms?.p99)}`}>
        <span className="tabular">{duration(row.latency_ms?.p95)}</span>
      </Hint>
    ),
  },
  {
    accessor: "cost",
    title: "USD per 1k calls",
    ...right,
    render: (row) => (
      <Money
        usd={row.average_cost_usd === null ? null : thousandfold(row.average_cost_usd)}
        reason="some of them have no price"
        estimated={row.estimated > 0}
      />
    ),
  },
  {
    accessor: "state",
    title: "State",
    width: 150,
    render: (row) => <Text size="sm">{row.state}</Text>,
  },
];
