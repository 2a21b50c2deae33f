/** Which workers hold how much of a limit, or of a user's plan, now, since when, and until when? */
import { Badge, Table, Text } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import type { ReactElement } from "react";
import { api, read, type Schemas } from "@/api/client";
import { amountOf } from "@/lib/budget";
import { Instant } from "./Figures";
import { More } from "./More";
import { Name } from "./Name";
import stack from "./Stacked.module.css";
import { StateOf } from "./States";

type Lease = Schemas["Lease"];
type Of = "budget" | "wallet" | "plan";

const REFRESH_MS = 5000;

function useLeases(of: Of, name: string) {
  return useInfiniteQuery({
    queryKey: ["leases", of, name],
    initialPageParam: null as string | null,
    queryFn: ({ signal, pageParam }) => {
      const query = { cursor: pageParam };
      const params = { path: { name }, query };
      if (of === "budget")
        return read(api.GET("/api/v1/budgets/{name}/leases", { params, signal }));
      if (of === "wallet")
        return read(api.GET("/api/v1/wallets/{name}/leases", { params, signal }));
      const ofUser = { path: { user: name }, query };
      return read(api.GET("/api/v1/subscriptions/{user}/leases", { params: ofUser, signal }));
    },
    getNextPageParam: (page) => page.next_cursor,
    // They change with every call.
    refetchInterval: REFRESH_MS,
  });
}

interface LeasesProps {
  of: Of;
  /** Of a plan its user's. */
  name: string;
  /** What a limit is called; without it all are of one, which needs no name. */
  limitName?: (limit: string) => string;
}

export function Leases({ of, name, limitName }: LeasesProps): ReactElement {
  const query = useLeases(of, name);
  return (
    <section>
      <Text component="h3" fw={600} mb={4}>
        Leases now
      </Text>
      <Text size="sm" c="dimmed" mb="xs">
        What workers have of it in their hands, so that no call waits; what they do not use comes
        back.
      </Text>
      <StateOf
        query={query}
        isEmpty={({ pages }) => pages.every((page) => page.leases.length === 0)}
        empty={<Text size="sm">No worker holds anything of it.</Text>}
      >
        {({ pages }) => (
          <div style={{ overflowX: "auto" }}>
            <Table aria-label="Leases now" className={stack.stacked}>
              <Table.Thead>
                <Table.Tr>
                  {limitName && <Table.Th>Limit</Table.Th>}
                  <Table.Th>Worker</Table.Th>
                  <Table.Th ta="right">Leased</Table.Th>
                  <Table.Th ta="right">Drawn</Table.Th>
                  <Table.Th ta="right">Left</Table.Th>
                  <Table.Th>Since</Table.Th>
                  <Table.Th>Ends</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {pages
                  .flatMap((page) => page.leases)
                  .map((lease) => (
                    <Row key={lease.lease_id} lease={lease} limit={limitName?.(lease.limit)} />
                  ))}
              </Table.Tbody>
            </Table>
          </div>
        )}
      </StateOf>
      <More query={query} />
    </section>
  );
}

function Row({ lease, limit }: { lease: Lease; limit: string | undefined }): ReactElement {
  return (
    <Table.Tr>
      {limit !== undefined && <Table.Td data-label="Limit">{limit}</Table.Td>}
      <Table.Td data-label="Worker">
        <div style={{ maxWidth: 200 }}>
          <Name strong>{lease.worker}</Name>
          <Name minor>{`on ${lease.node}`}</Name>
          {lease.state !== "active" && (
            <Badge c="var(--mantine-color-text)" color="gray">
              {lease.state}
            </Badge>
          )}
        </div>
      </Table.Td>
      <Amount label="Leased" kind={lease.kind} amount={lease.leased} />
      <Amount label="Drawn" kind={lease.kind} amount={lease.drawn} />
      <Amount label="Left" kind={lease.kind} amount={lease.left} />
      <Table.Td data-label="Since">
        <Instant iso={lease.since} />
      </Table.Td>
      <Table.Td data-label="Ends">
        {lease.expires_at ? <Instant iso={lease.expires_at} /> : "never"}
      </Table.Td>
    </Table.Tr>
  );
}

function Amount(props: { label: string; kind: string; amount: string }): ReactElement {
  const { label, kind, amount } = props;
  return (
    <Table.Td data-label={label} ta="right" className="tabular" style={{ whiteSpace: "nowrap" }}>
      {amountOf(kind, amount)}
    </Table.Td>
  );
}
