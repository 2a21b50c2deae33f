/** Who and what costs most? Each name leads to its calls. */
import { SimpleGrid, Text } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import type { ReactElement } from "react";
import type { Schemas } from "@/api/client";
import { type Bar, Bars } from "@/components/Bars";
import { Money } from "@/components/Figures";
import { Panel } from "@/components/States";
import { count, counted } from "@/lib/format";
import { providerColor, providerName } from "@/lib/providers";
import type { OverviewView } from "./series";

type Kind = "provider" | "model" | "user" | "key";
const ROWS_MAX = 6;
const TITLES: Readonly<Record<Kind, string>> = {
  provider: "Providers by cost",
  model: "Models by cost",
  user: "Users by cost",
  key: "Keys by cost",
};

export function Tops({ overview }: { overview: OverviewView }): ReactElement {
  const { providers, models, users, keys, total } = overview;
  const lists: [Kind, Schemas["TopList"]][] = [
    ["provider", providers],
    ["model", models],
    ["user", users],
    ["key", keys],
  ];
  return (
    <SimpleGrid cols={{ base: 1, md: 2 }} spacing="md">
      {lists.map(([kind, list]) => (
        <Panel key={kind} title={TITLES[kind]}>
          <Top kind={kind} list={list} total={total.cost_usd} />
        </Panel>
      ))}
    </SimpleGrid>
  );
}

function Top(props: { kind: Kind; list: Schemas["TopList"]; total: string | null }): ReactElement {
  const { kind, list } = props;
  const total = Number(props.total ?? 0);
  const bars = list.top.slice(0, ROWS_MAX).map((one): Bar => {
    const { name } = one;
    const shown = kind === "provider" ? providerName(name) : (name ?? "none named");
    return {
      key: name ?? "",
      name: <bdi title={shown}>{shown}</bdi>,
      figure: (
        <>
          <Money
            usd={one.cost_usd}
            reason="none of these calls has a price"
            estimated={one.estimated > 0}
          />
          <Text component="span" size="xs" c="dimmed">
            {" "}
            {counted(one.calls, "call")}
          </Text>
        </>
      ),
      share: one.cost_usd !== null && total > 0 ? Number(one.cost_usd) / total : null,
      color: kind === "provider" ? providerColor(name) : undefined,
      link:
        name === null
          ? undefined
          : (props) => <Link to="/logs" search={{ [kind]: name }} {...props} />,
    };
  });
  const others = list.rest_count + Math.max(0, list.top.length - ROWS_MAX);
  return (
    <>
      <Bars bars={bars} label={TITLES[kind]} />
      {others > 0 && (
        <Text size="xs" c="dimmed" mt={4}>
          and {count(others)} more
        </Text>
      )}
    </>
  );
}
