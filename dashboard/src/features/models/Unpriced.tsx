/** What was called and has no price? One button gives it one, another rates the calls again. */
import { Button, Group, Table, Text } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type ReactElement, useState } from "react";
import { api, read, type Schemas } from "@/api/client";
import { useIsAdmin } from "@/api/session";
import { Instant } from "@/components/Figures";
import { More } from "@/components/More";
import stack from "@/components/Stacked.module.css";
import { Empty, StateOf } from "@/components/States";
import { failed, told } from "@/components/toasts";
import { count, counted, money } from "@/lib/format";
import { ProviderBadge, TypeBadge } from "./Marks";
import classes from "./Models.module.css";
import { PriceForm, type Wanted } from "./PriceForm";
import { refresh, useUnpriced } from "./queries";

type Gap = Schemas["Unpriced"];
type Gaps = ReturnType<typeof useUnpriced>;

export function Unpriced(): ReactElement {
  const canEdit = useIsAdmin();
  const gaps = useUnpriced();
  const [wanted, setWanted] = useState<Wanted | null>(null);
  return (
    <>
      <StateOf
        query={gaps}
        isEmpty={({ pages }) => pages.every((page) => page.unpriced.length === 0)}
        empty={<Empty says="Everything that was called has a price." />}
      >
        {({ pages }) => (
          <>
            <Group justify="space-between" mb="sm">
              <Text size="sm" c="dimmed">
                What these calls cost is not known, and no total counts them as zero. A price holds
                for new calls; “Rate again” finds what the old ones cost.
              </Text>
              {canEdit && <RateAgain since={() => firstSeen(gaps)} />}
            </Group>
            <div className={`panel ${classes.wide}`} style={{ padding: 0 }}>
              <Table aria-label="Without a price" className={stack.stacked}>
                <Table.Thead>
                  <Table.Tr>
                    <Table.Th>Provider</Table.Th>
                    <Table.Th>Model</Table.Th>
                    <Table.Th>Type</Table.Th>
                    <Table.Th className={classes.number}>Calls</Table.Th>
                    <Table.Th className={classes.number}>Last</Table.Th>
                    {canEdit && (
                      <Table.Th>
                        <span className="visually-hidden">Add a price</span>
                      </Table.Th>
                    )}
                  </Table.Tr>
                </Table.Thead>
                <Table.Tbody>
                  {pages
                    .flatMap((page) => page.unpriced)
                    .map((gap) => (
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
      <More query={gaps} />
      <PriceForm wanted={wanted} onClose={() => setWanted(null)} />
    </>
  );
}

function Row(props: { gap: Gap; onPrice: ((wanted: Wanted) => void) | undefined }): ReactElement {
  const { gap, onPrice } = props;
  const { provider, model, category: type } = gap;
  return (
    <Table.Tr>
      <Table.Td data-label="Provider">
        <ProviderBadge provider={provider} />
      </Table.Td>
      <Table.Td data-label="Model" style={{ overflowWrap: "anywhere" }}>
        <div style={{ minWidth: 160 }}>
          <Link to="/logs" search={{ model, unpriced: "true" }} className={classes.link}>
            <bdi>{model}</bdi>
          </Link>
          <Text size="xs" c="dimmed">
            {gap.reason}
          </Text>
        </div>
      </Table.Td>
      <Table.Td data-label="Type">
        <TypeBadge type={type} />
      </Table.Td>
      <Table.Td data-label="Calls" className={classes.number}>
        {count(gap.count)}
      </Table.Td>
      <Table.Td data-label="Last" className={classes.number}>
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

/** Since when there are calls without a price; the earliest may stand on any page. */
async function firstSeen(gaps: Gaps): Promise<string> {
  let found: Pick<Gaps, "data" | "hasNextPage" | "fetchNextPage" | "error"> = gaps;
  while (found.hasNextPage) {
    found = await found.fetchNextPage();
    if (found.error) throw found.error;
  }
  const all = found.data?.pages.flatMap((page) => page.unpriced) ?? [];
  return all.map((gap) => gap.first_seen).sort()[0] ?? new Date().toISOString();
}

/** First a dry run, which says what would come of it; then the run. */
function RateAgain({ since }: { since: () => Promise<string> }): ReactElement {
  const queries = useQueryClient();
  const run = useMutation({
    mutationFn: async (dryRun: boolean) => {
      const order = { from: await since(), dry_run: dryRun, reason: "a price was stated" };
      return read(api.POST("/api/v1/prices/rerate", { body: order as Schemas["RerateOrder"] }));
    },
    onError: failed,
    onSuccess: (rated) => {
      if (rated.dry_run) return;
      told(`${counted(rated.calls_priced, "call")} with a cost now.`);
      void refresh(queries);
    },
  });
  const found = run.data?.dry_run ? run.data : null;
  if (found) {
    return (
      <Group gap="xs">
        <Text size="sm">
          {counted(found.calls, "call")} seen: {count(found.calls_priced)} would get a cost, in all{" "}
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
