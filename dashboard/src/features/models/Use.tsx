/** How is a model used: how often, by whom, at what cost? Each figure leads to the calls. */
import { Group, SimpleGrid, Stack, Text, useComputedColorScheme } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactElement, ReactNode } from "react";
import { Bar, BarChart, CartesianGrid, ResponsiveContainer, Tooltip, XAxis, YAxis } from "recharts";
import { api, read, type Schemas } from "@/api/client";
import { ApiError } from "@/api/errors";
import { Bars } from "@/components/Bars";
import { Latency, Money, Stat, Tokens } from "@/components/Figures";
import { Empty, Lines, StateOf } from "@/components/States";
import { count, day, money, percent } from "@/lib/format";
import { providerColor, providerName } from "@/lib/providers";
import { useProject, useRange } from "@/lib/range";
import classes from "./Models.module.css";

type Use = Schemas["ModelUsageView"];
interface LinkProps {
  className?: string;
  children: ReactNode;
}
const HEIGHT_PX = 180;
const UNUSED = 404;

export function UsePart({ name }: { name: string }): ReactElement {
  const { from, to, label } = useRange();
  const project = useProject();
  const use = useQuery({
    queryKey: ["insight", "model", name, from, to, project],
    queryFn: async ({ signal }): Promise<Use | null> => {
      const query = { from, to, ...(project && { project: [project] }) };
      const params = { path: { name }, query };
      try {
        return await read(api.GET("/api/v1/insight/models/{name}", { params, signal }));
      } catch (error) {
        if (error instanceof ApiError && error.status === UNUSED) return null;
        throw error;
      }
    },
  });
  return (
    <StateOf
      query={use}
      loading={<Lines count={4} height={48} />}
      isEmpty={(found) => found === null}
      empty={
        <Empty says={`Nobody called it in the ${label}.`}>
          <Link to="/playground" search={{ model: name }} className={classes.link}>
            Try it in the playground
          </Link>
        </Empty>
      }
    >
      {(found) => found && <Figures use={found} label={label} />}
    </StateOf>
  );
}

function Figures({ use, label }: { use: Use; label: string }): ReactElement {
  const { total } = use;
  return (
    <Stack gap="lg">
      <SimpleGrid cols={{ base: 2, xs: 4 }} spacing="md">
        <Stat
          label={`Cost, ${label}`}
          note={total.unpriced > 0 && `${count(total.unpriced)} unpriced`}
        >
          <Money usd={total.cost_usd} estimated={total.estimated > 0} />
        </Stat>
        <Stat label="Calls" note={`${percent(total.success_rate)} ok`}>
          {count(total.calls)}
        </Stat>
        <Stat label="Tokens" note="in and out">
          <Tokens value={total.total_tokens} />
        </Stat>
        <Stat
          label="Latency p50"
          note={
            use.latency_ms && (
              <>
                p95 <Latency ms={use.latency_ms.p95} />
              </>
            )
          }
        >
          <Latency ms={use.latency_ms?.p50} />
        </Stat>
      </SimpleGrid>
      <Days series={use.series} />
      <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="lg">
        <Shares
          title="Served by"
          list={use.providers.top}
          name={providerName}
          color={providerColor}
          to={(provider) => ({ model: use.name, provider: provider ?? undefined })}
        />
        <Shares
          title="Used by"
          list={use.users.top}
          name={(user) => user ?? "no user told"}
          to={(user) => ({ model: use.name, user: user ?? undefined })}
        />
      </SimpleGrid>
      <Group gap="md">
        <Link to="/logs" search={{ model: use.name }} className={classes.link}>
          All its calls
        </Link>
        {use.errors.length > 0 && (
          <Link to="/logs" search={{ model: use.name, status: "FAILED" }} className={classes.link}>
            What failed
          </Link>
        )}
      </Group>
    </Stack>
  );
}

function Days({ series }: { series: Use["series"] }): ReactElement {
  const isDark = useComputedColorScheme("light") === "dark";
  const line = isDark ? "#4b5157" : "#dee2e6";
  const ink = { fill: isDark ? "#a6acb3" : "#5c636a", fontSize: 12 };
  const data = series.map((one) => ({
    name: one.name ?? "",
    cost: one.cost_usd === null ? null : Number(one.cost_usd),
    calls: one.calls,
  }));
  return (
    <figure style={{ margin: 0 }} aria-label="Cost over time">
      <Text size="xs" c="dimmed" mb={4}>
        Cost over time, US dollars
      </Text>
      <ResponsiveContainer width="100%" height={HEIGHT_PX}>
        <BarChart data={data} margin={{ top: 4, right: 4, bottom: 0, left: 0 }}>
          <CartesianGrid stroke={line} vertical={false} />
          <XAxis dataKey="name" tick={ink} stroke={line} minTickGap={24} tickFormatter={label} />
          <YAxis tick={ink} stroke={line} width={64} tickFormatter={(usd: number) => money(usd)} />
          <Tooltip
            cursor={{ fill: line, opacity: 0.4 }}
            formatter={(usd) => [money(Number(usd)), "Cost"]}
            labelFormatter={(name) => label(String(name))}
            contentStyle={{
              background: "var(--panel)",
              border: "1px solid var(--frame-line)",
              borderRadius: 4,
              fontSize: 13,
            }}
          />
          <Bar dataKey="cost" fill="#0891b2" isAnimationActive={false} maxBarSize={32} />
        </BarChart>
      </ResponsiveContainer>
    </figure>
  );
}

const label = (name: string): string => (Number.isNaN(Date.parse(name)) ? name : day(name));

function Shares(props: {
  title: string;
  list: Schemas["NamedSums"][];
  name: (name: string | null) => string;
  color?: (name: string | null) => string;
  to: (name: string | null) => { model: string; provider?: string; user?: string };
}): ReactElement {
  const { title, list, name, color, to } = props;
  const all = list.reduce((sum, one) => sum + one.calls, 0);
  return (
    <div>
      <Text size="xs" c="dimmed" mb={8}>
        {title}
      </Text>
      <Bars
        label={title}
        bars={list.map((one) => ({
          key: one.name ?? "",
          name: name(one.name),
          figure: `${count(one.calls)} calls`,
          share: all === 0 ? null : one.calls / all,
          ...(color && { color: color(one.name) }),
          ...(one.name !== null && {
            link: (rest: LinkProps) => <Link to="/logs" search={to(one.name)} {...rest} />,
          }),
        }))}
      />
    </div>
  );
}
