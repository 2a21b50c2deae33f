/** What was called and has no price? One button gives it one, another rates the calls again. */
import { Button, Group, Table, Text } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type ReactElement, useState } from "react";
import { api, read, type Schemas } from "@/api/client";
import { Instant } from "@/components/Figures";
import { Empty, StateOf } from "@/components/States";
import { failed, told } from "@/components/toasts";
import { count, money } from "@/lib/format";
import { ProviderBadge, TypeBadge } from "./Marks";
import classes from "./Models.module.css";
import { PriceForm, type Wanted } from "./PriceForm";
import { refresh } from "./queries";

type Gap = Schemas["Unpriced"];
const ROWS = 200;

export const unpricedQuery = {
  queryKey: ["prices", "unpriced"],
  queryFn: ({ signal }: { signal: AbortSignal }) =>
    read(api.GET("/api/v1/prices/unpriced", { params: { query: { limit: ROWS } }, signal })),
};

export function Unpriced({ canEdit }: { canEdit: boolean }): ReactElement {
  const gaps = useQuery(unpricedQuery);
  const [wanted, setWanted] = useState<Wanted | null>(null);
  return (
    <>
      <StateOf
        query={gaps}
        isEmpty={(found) => found.unpriced.length === 0}
        empty={<Empty says="Everything that was called has a price." />}
      >
        {(found) => (
          <>
            <Group justify="space-between" mb="sm">
              <Text size="sm" c="dimmed">
                What these calls cost is not known, and no total counts them as zero. A price holds
                for new calls; “Rate again” finds what the old ones cost.
              </Text>
              {canEdit && <RateAgain since={since(found.unpriced)} />}
            </Group>
            <div className={`panel ${classes.wide}`} style={{ padding: 0 }}>
              <Table aria-label="Without a price">
                <Table.Thead>
                  <Table.Tr>
                    <Table.Th>Provider</Table.Th>
                    <Table.Th>Model</Table.Th>
                    <Table.Th>Type</Table.Th>
                    <Table.Th className={classes.number}>Calls</Table.Th>
                    <Table.Th className={classes.number}>Last</Table.Th>
                    {canEdit && <Table.Th aria-label="Add a price" />}
                  </Table.Tr>
                </Table.Thead>
                <Table.Tbody>
                  {found.unpriced.map((gap) => (
                    <Row
                      key={`${gap.provider} ${gap.model} ${gap.category}`}
                      gap={gap}
                      onPrice={canEdit ? setWanted : undefined}
                    />
                  ))}
                </Table.Tbody>
              </Table>
            </div>
          </>
        )}
      </StateOf>
      <PriceForm wanted={wanted} onClose={() => setWanted(null)} />
    </>
  );
}

function Row(props: { gap: Gap; onPrice: ((wanted: Wanted) => void) | undefined }): ReactElement {
  const { gap, onPrice } = props;
  const { provider, model, category: type } = gap;
  return (
    <Table.Tr>
      <Table.Td>
        <ProviderBadge provider={provider} />
      </Table.Td>
      <Table.Td style={{ overflowWrap: "anywhere", minWidth: 160 }}>
        <Link to="/logs" search={{ model, unpriced: "true" }} className={classes.link}>
          <bdi>{model}</bdi>
        </Link>
        <Text size="xs" c="dimmed">
          {gap.reason}
        </Text>
      </Table.Td>
      <Table.Td>
        <TypeBadge type={type} />
      </Table.Td>
      <Table.Td className={classes.number}>{count(gap.count)}</Table.Td>
      <Table.Td className={classes.number}>
        <Instant iso={gap.last_seen} />
      </Table.Td>
      {onPrice && (
        <Table.Td className={classes.number}>
          <Button
            size="compact-sm"
            variant="default"
            aria-label={`Add a price for ${model}`}
            onClick={() => onPrice({ provider, model, type })}
          >
            Add a price
          </Button>
        </Table.Td>
      )}
    </Table.Tr>
  );
}

/** Since when there are calls without a price. */
function since(gaps: readonly Gap[]): string {
  return gaps.map((gap) => gap.first_seen).sort()[0] ?? new Date().toISOString();
}

/** First a dry run, which says what would come of it; then the run. */
function RateAgain({ since: from }: { since: string }): ReactElement {
  const queries = useQueryClient();
  const run = useMutation({
    mutationFn: (dryRun: boolean) =>
      read(
        api.POST("/api/v1/prices/rerate", {
          body: { from, dry_run: dryRun, reason: "a price was stated" } as Schemas["RerateOrder"],
        }),
      ),
    onError: failed,
    onSuccess: (rated) => {
      if (rated.dry_run) return;
      told(`${count(rated.calls_priced)} calls have a cost now.`);
      void refresh(queries);
    },
  });
  const found = run.data?.dry_run ? run.data : null;
  if (found) {
    return (
      <Group gap="xs">
        <Text size="sm">
          {count(found.calls)} calls seen: {count(found.calls_priced)} would get a cost, in all{" "}
          {money(found.difference_usd)}.
        </Text>
        <Button
          size="compact-sm"
          disabled={found.adjustments === 0}
          loading={run.isPending}
          onClick={() => run.mutate(false)}
        >
          Correct {count(found.adjustments)}
        </Button>
        <Button size="compact-sm" variant="subtle" onClick={() => run.reset()}>
          Cancel
        </Button>
      </Group>
    );
  }
  return (
    <Button
      size="compact-sm"
      variant="default"
      loading={run.isPending}
      onClick={() => run.mutate(true)}
    >
      Rate again …
    </Button>
  );
}
