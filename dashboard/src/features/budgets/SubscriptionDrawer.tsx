/** One subscription: how much of each limit is used, and what became of it. */
import { Alert, Button, Drawer, Group, Progress, Stack, Table, Text } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import type { ReactElement } from "react";
import { api, read, type Schemas } from "@/api/client";
import { useIsAdmin } from "@/api/session";
import { Instant, Money } from "@/components/Figures";
import { Leases } from "@/components/Leases";
import { Empty, StateOf } from "@/components/States";
import { failed, told } from "@/components/toasts";
import { day, percent } from "@/lib/format";
import { Allowance, limitName, limitText } from "./Allowance";
import { thenText } from "./Subscriptions";

const route = getRouteApi("/framed/budgets");

export function SubscriptionDrawer(): ReactElement {
  const { user } = route.useSearch();
  const navigate = route.useNavigate();
  return (
    <Drawer
      opened={user !== undefined}
      onClose={() => void navigate({ to: ".", search: (old) => ({ ...old, user: undefined }) })}
      position="right"
      size="xl"
      title={user ? `Subscription of ${user}` : ""}
    >
      {user && (
        <Stack gap="lg" key={user}>
          <Standing user={user} />
          <Use user={user} />
          <Leases of="plan" name={user} limitName={limitName} />
          <Past user={user} />
        </Stack>
      )}
    </Drawer>
  );
}

function Standing({ user }: { user: string }): ReactElement {
  const isAdmin = useIsAdmin();
  const queries = useQueryClient();
  const params = { path: { user } };
  const query = useQuery({
    queryKey: ["subscriptions", user],
    queryFn: ({ signal }) => read(api.GET("/api/v1/subscriptions/{user}", { params, signal })),
  });
  const end = useMutation({
    mutationFn: () => read(api.DELETE("/api/v1/subscriptions/{user}", { params })),
    onSuccess: async (now) => {
      await queries.invalidateQueries({ queryKey: ["subscriptions"] });
      told(`The subscription of ${user} ends ${day(now.ends_at)}.`);
    },
    onError: failed,
  });
  return (
    <StateOf query={query}>
      {(one) => (
        <Group justify="space-between">
          <Text size="sm">
            {one.plan ?? "No plan"}
            {one.cycle ? `, ${one.cycle}` : ""}
            {one.period_end ? `, until ${day(one.period_end)}: then ${thenText(one)}` : ""}
          </Text>
          {isAdmin && one.status === "active" && (
            <Button
              size="compact-sm"
              variant="default"
              loading={end.isPending}
              onClick={() => end.mutate()}
            >
              End it with its period
            </Button>
          )}
        </Group>
      )}
    </StateOf>
  );
}

function Use({ user }: { user: string }): ReactElement {
  const query = useQuery({
    queryKey: ["subscriptions", user, "usage"],
    queryFn: ({ signal }) =>
      read(api.GET("/api/v1/subscriptions/{user}/usage", { params: { path: { user } }, signal })),
  });
  return (
    <section>
      <Text component="h3" fw={600} mb="xs">
        Used this month
      </Text>
      <StateOf query={query}>
        {(use) => (
          <>
            <Text size="sm" c="dimmed" mb="sm">
              Until {day(use.month_end)}. Calls count in their bucket, whoever served them.
            </Text>
            <Stack gap="sm">
              {use.limits
                .filter((one) => !one.unlimited || Number(one.used) > 0)
                .map((one) => (
                  <Limit key={one.name} one={one} />
                ))}
            </Stack>
          </>
        )}
      </StateOf>
    </section>
  );
}

function Limit({ one }: { one: Schemas["LimitUse"] }): ReactElement {
  const share = one.percentage === null ? null : one.percentage / 100;
  const isOut = !one.unlimited && Number(one.used) >= Number(one.limit);
  return (
    <div>
      <Group justify="space-between" gap="xs">
        <Text size="sm">{limitName(one.name)}</Text>
        <Text size="sm" className="tabular">
          {limitText(one.used)} of <Allowance limit={one.limit} />
          {share !== null && ` (${percent(share)})`}
        </Text>
      </Group>
      {!one.unlimited && (
        <Progress
          mt={4}
          size={6}
          color={isOut ? "red" : undefined}
          value={share === null ? 100 : Math.min(100, share * 100)}
          aria-label={limitName(one.name)}
        />
      )}
    </div>
  );
}

function Past({ user }: { user: string }): ReactElement {
  const query = useQuery({
    queryKey: ["subscriptions", user, "history"],
    queryFn: ({ signal }) =>
      read(api.GET("/api/v1/subscriptions/{user}/history", { params: { path: { user } }, signal })),
  });
  return (
    <section>
      <Text component="h3" fw={600} mb="xs">
        What became of it
      </Text>
      <StateOf
        query={query}
        isEmpty={(page) => page.events.length === 0}
        empty={<Empty says="There was no subscription." />}
      >
        {(page) => (
          <Table>
            <Table.Tbody>
              {page.events.map((event) => (
                <Table.Tr key={event.event_id}>
                  <Table.Td>
                    <Instant iso={event.at} />
                  </Table.Td>
                  <Table.Td>
                    {event.kind}: {event.previous_plan ? `${event.previous_plan} → ` : ""}
                    {event.plan}, {event.cycle}
                  </Table.Td>
                  <Table.Td ta="right">
                    <Money usd={event.amount_usd} />
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        )}
      </StateOf>
      {query.data?.next_cursor && <Alert variant="light">There is more before that.</Alert>}
    </section>
  );
}
