/** One row per provider and category: share, success, latency, what a thousand calls cost, state. */
import { Text } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { DataTable, type DataTableColumn } from "mantine-datatable";
import "mantine-datatable/styles.layer.css";
import type { ReactElement } from "react";
import { Hint, Money, Provider } from "@/components/Figures";
import type { Endpoint } from "@/lib/endpoints";
import { count, duration, percent, words } from "@/lib/format";
import { ProviderCards } from "./ProviderCards";
import type { ProviderView } from "./query";
import { costOf1k, type Row, rowsOf } from "./rows";
import { Success } from "./Success";

interface ProviderTableProps {
  rows: readonly ProviderView[];
  endpoints: readonly Endpoint[];
  isOld: boolean;
}

export function ProviderTable(props: ProviderTableProps): ReactElement {
  const { sort = "callShare" } = useSearch({ from: "/framed/providers" });
  const navigate = useNavigate({ from: "/providers" });
  const isSmall = useMediaQuery("(max-width: 47.99em)") ?? false;
  const rows = rowsOf(props.rows, props.endpoints, sort);
  if (isSmall) return <ProviderCards rows={rows} />;
  return (
    <DataTable<Row>
      records={rows}
      idAccessor="id"
      columns={COLUMNS}
      fetching={props.isOld}
      sortStatus={{ columnAccessor: sort, direction: "asc" }}
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
        {percent(row.callShare, true)}
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
        usd={costOf1k(row)}
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
