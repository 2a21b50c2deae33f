/** Which prices are proposed against one that holds? Accept, reject, or keep what holds. */
import { Button, Group, Stack, Table, Text, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type ReactElement, useState } from "react";
import { api, read, type Schemas } from "@/api/client";
import { useIsAdmin } from "@/api/session";
import { Confirm } from "@/components/Confirm";
import { More } from "@/components/More";
import { Empty, StateOf } from "@/components/States";
import { told } from "@/components/toasts";
import { day, rate } from "@/lib/format";
import { ProviderBadge } from "./Marks";
import classes from "./Models.module.css";
import { perText, subjectOf } from "./prices";
import { type Price, refresh, useDisputes } from "./queries";

type Dispute = Schemas["Disputed"];

export function Disputes(): ReactElement {
  const canEdit = useIsAdmin();
  const disputes = useDisputes();
  return (
    <StateOf
      query={disputes}
      isEmpty={({ pages }) => pages.every((page) => page.disputes.length === 0)}
      empty={
        <Empty says="No list contradicts a price that holds.">
          <Text size="sm" c="dimmed">
            What a list of prices says otherwise than one that you stated is shown here, and nobody
            is charged by it before it is accepted.
          </Text>
        </Empty>
      }
    >
      {({ pages }) => (
        <Stack gap="sm" align="stretch">
          {pages
            .flatMap((page) => page.disputes)
            .map((one) => (
              <Card key={one.proposed.price_version_id} dispute={one} canEdit={canEdit} />
            ))}
          <div>
            <More query={disputes} />
          </div>
        </Stack>
      )}
    </StateOf>
  );
}

function Card({ dispute, canEdit }: { dispute: Dispute; canEdit: boolean }): ReactElement {
  const { proposed, against } = dispute;
  const queries = useQueryClient();
  const [isKept, setIsKept] = useState(false);
  const [asked, setAsked] = useState<"accept" | "reject" | null>(null);
  const [reason, setReason] = useState("");
  const decide = useMutation({
    mutationFn: (verdict: "accept" | "reject") => {
      const path = { price_version_id: proposed.price_version_id };
      const body = { reason: reason.trim() };
      return verdict === "accept"
        ? read(
            api.POST("/api/v1/prices/disputes/{price_version_id}/accept", {
              params: { path },
              body,
            }),
          )
        : read(
            api.POST("/api/v1/prices/disputes/{price_version_id}/reject", {
              params: { path },
              body,
            }),
          );
    },
    onSuccess: (_price, verdict) =>
      told(
        verdict === "accept"
          ? `${proposed.model}: ${rate(proposed.rate_usd)} holds from now on.`
          : `${proposed.model}: the proposal is rejected, and not made again.`,
      ),
    onSettled: () => refresh(queries),
  });
  if (isKept) {
    return (
      <div className="panel">
        <Group justify="space-between">
          <Text size="sm">
            <bdi>{proposed.model}</bdi>: what holds is kept. The proposal stays open.
          </Text>
          <Button size="compact-sm" variant="subtle" onClick={() => setIsKept(false)}>
            Show it again
          </Button>
        </Group>
      </div>
    );
  }
  return (
    <section className="panel" aria-label={`Dispute about ${proposed.model}`}>
      <Group justify="space-between" mb="xs">
        <Group gap="xs" miw={0}>
          <ProviderBadge provider={proposed.provider} />
          <Text fw={600} style={{ overflowWrap: "anywhere" }}>
            <bdi>{proposed.model}</bdi>
          </Text>
          <Text size="sm" c="dimmed">
            {subjectOf(proposed)}
          </Text>
        </Group>
        {canEdit && (
          <Group gap="xs">
            <Button size="compact-sm" onClick={() => setAsked("accept")}>
              Accept
            </Button>
            <Button size="compact-sm" variant="default" onClick={() => setAsked("reject")}>
              Reject
            </Button>
            <Button size="compact-sm" variant="subtle" onClick={() => setIsKept(true)}>
              Keep for now
            </Button>
          </Group>
        )}
      </Group>
      <div className={classes.wide}>
        <Table aria-label="Prices that contradict each other">
          <Table.Tbody>
            <Row title="proposed" price={proposed} />
            {against.map((price) => (
              <Row
                key={price.price_version_id}
                title={price.status === "proposed" ? "also proposed" : "holds"}
                price={price}
              />
            ))}
          </Table.Tbody>
        </Table>
      </div>
      <Confirm
        opened={asked !== null}
        title={asked === "accept" ? "Accept this price?" : "Reject this price?"}
        action={asked === "accept" ? "Accept" : "Reject"}
        disabled={reason.trim() === ""}
        onClose={() => setAsked(null)}
        onConfirm={() => decide.mutateAsync(asked ?? "reject")}
      >
        <Text size="sm" mb="sm">
          {asked === "accept"
            ? `${rate(proposed.rate_usd)} ${perText(proposed)} holds from now on, on all workers.`
            : "Its source does not propose it again."}
        </Text>
        <TextInput
          label="Why"
          required
          value={reason}
          onChange={(event) => setReason(event.currentTarget.value)}
          data-autofocus
        />
      </Confirm>
    </section>
  );
}

function Row({ title, price }: { title: string; price: Price }): ReactElement {
  return (
    <Table.Tr>
      <Table.Td c="dimmed">{title}</Table.Td>
      <Table.Td className={classes.number}>
        {rate(price.rate_usd)} {perText(price)}
      </Table.Td>
      <Table.Td>
        {price.source}
        {price.as_of && `, as of ${day(price.as_of)}`}
      </Table.Td>
      <Table.Td>
        <Text size="xs" c="dimmed">
          {price.reference}
        </Text>
      </Table.Td>
    </Table.Tr>
  );
}
