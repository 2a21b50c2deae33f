/** Who has which plan, and until when? */
import {
  Badge,
  Button,
  Group,
  Select,
  Table,
  Text,
  TextInput,
  UnstyledButton,
} from "@mantine/core";
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { type ReactElement, useState } from "react";
import { api, read, type Schemas } from "@/api/client";
import { useIsAdmin } from "@/api/session";
import { More } from "@/components/More";
import { Name } from "@/components/Name";
import { Empty, Panel, StateOf } from "@/components/States";
import { failed, told } from "@/components/toasts";
import { day } from "@/lib/format";
import { plansQuery } from "./Plans";
import { SubscriptionDrawer } from "./SubscriptionDrawer";

export type Subscription = Schemas["SubscriptionShown"];
const route = getRouteApi("/framed/budgets");

export function Subscriptions(): ReactElement {
  const isAdmin = useIsAdmin();
  const query = useInfiniteQuery({
    queryKey: ["subscriptions"],
    initialPageParam: null as string | null,
    queryFn: ({ signal, pageParam }) =>
      read(api.GET("/api/v1/subscriptions", { params: { query: { cursor: pageParam } }, signal })),
    getNextPageParam: (page) => page.next_cursor,
  });
  return (
    <Panel title="Subscriptions">
      {isAdmin && <Give />}
      <StateOf
        query={query}
        isEmpty={({ pages }) => pages.every((page) => page.subscriptions.length === 0)}
        empty={<Empty says="Nobody has a subscription yet." />}
      >
        {({ pages }) => (
          <Table.ScrollContainer minWidth={560}>
            <Table highlightOnHover>
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>User</Table.Th>
                  <Table.Th>Plan</Table.Th>
                  <Table.Th>State</Table.Th>
                  <Table.Th>Paid until</Table.Th>
                  <Table.Th>Then</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {pages
                  .flatMap((page) => page.subscriptions)
                  .map((one) => (
                    <Row key={one.user} one={one} />
                  ))}
              </Table.Tbody>
            </Table>
          </Table.ScrollContainer>
        )}
      </StateOf>
      <More query={query} />
      <SubscriptionDrawer />
    </Panel>
  );
}

function Row({ one }: { one: Subscription }): ReactElement {
  const navigate = route.useNavigate();
  const open = (): void =>
    void navigate({ to: ".", search: (old) => ({ ...old, user: one.user }) });
  return (
    <Table.Tr style={{ cursor: "pointer" }} onClick={open}>
      <Table.Td maw={240}>
        <UnstyledButton onClick={open}>
          <Name strong>{one.user}</Name>
        </UnstyledButton>
      </Table.Td>
      <Table.Td>
        {one.plan ?? "none"}
        {one.cycle && (
          <Text span size="xs" c="dimmed">
            {` ${one.cycle}`}
          </Text>
        )}
      </Table.Td>
      <Table.Td>
        <Badge c="var(--mantine-color-text)" color={one.status === "active" ? "green" : "gray"}>
          {one.status}
        </Badge>
      </Table.Td>
      <Table.Td>{day(one.ends_at ?? one.period_end)}</Table.Td>
      <Table.Td>{thenText(one)}</Table.Td>
    </Table.Tr>
  );
}

export function thenText(one: Subscription): string {
  if (one.ends_at) return "it ends";
  if (one.next_plan) return `${one.next_plan}${one.next_cycle ? `, ${one.next_cycle}` : ""}`;
  return one.auto_renew ? "it is renewed" : "it ends";
}

/** Give a user a plan: dearer ones count at once, cheaper ones from the period's end. */
function Give(): ReactElement {
  const queries = useQueryClient();
  const plans = useQuery(plansQuery);
  const [user, setUser] = useState("");
  const [plan, setPlan] = useState<string | null>(null);
  const [cycle, setCycle] = useState<Schemas["Cycle"]>("monthly");
  const give = useMutation({
    mutationFn: () =>
      read(
        api.PUT("/api/v1/subscriptions/{user}", {
          params: { path: { user: user.trim() } },
          body: { plan: plan ?? "", cycle },
        }),
      ),
    onSuccess: async (now) => {
      await queries.invalidateQueries({ queryKey: ["subscriptions"] });
      told(
        now.plan === plan
          ? `${now.user} has the plan ${now.plan} now.`
          : `${now.user} will have the plan ${plan} from ${day(now.changes_at)}.`,
      );
      setUser("");
    },
    onError: failed,
  });
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        give.mutate();
      }}
    >
      <Group align="flex-end" gap="sm" mb="md">
        <TextInput
          label="User"
          required
          withAsterisk={false}
          value={user}
          onChange={(event) => setUser(event.currentTarget.value)}
        />
        <Select
          label="Plan"
          w={160}
          data={plans.data?.plans.filter((one) => one.active).map((one) => one.name) ?? []}
          value={plan}
          onChange={setPlan}
        />
        <Select
          label="Paid"
          w={120}
          data={["monthly", "yearly"]}
          value={cycle}
          allowDeselect={false}
          onChange={(value) => setCycle(value === "yearly" ? "yearly" : "monthly")}
        />
        <Button type="submit" disabled={!plan || !user.trim()} loading={give.isPending}>
          Give it
        </Button>
      </Group>
    </form>
  );
}
