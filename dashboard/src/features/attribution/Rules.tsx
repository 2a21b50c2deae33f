/** Which rules are there, in the order in which they are tried? Yours can be changed. */
import { Button, Group, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { Fragment, type ReactElement, useState } from "react";
import { api, read, type Schemas } from "@/api/client";
import { useIsAdmin } from "@/api/session";
import { Icon } from "@/components/icons";
import { SearchField } from "@/components/SearchField";
import stack from "@/components/Stacked.module.css";
import { Empty, Panel, StateOf } from "@/components/States";
import { count } from "@/lib/format";
import classes from "./Attribution.module.css";
import { RuleForm } from "./RuleForm";
import { RuleRow } from "./RuleRow";

export type Rule = Schemas["AttributionRule"];
const route = getRouteApi("/framed/attribution");

/** What each rank reads, in the order of the ranks. */
export const RANKS: Readonly<Record<string, string>> = {
  answered: "the endpoint that answered",
  host: "the host that was called",
  header: "a header of the answer",
  answer: "the answer itself",
  reported: "whom the reporter names",
  asked: "the endpoint that was asked",
  vendor_bucket: "a bucket of one vendor",
  only_vendor: "a model that only its vendor has",
  path: "the path that was called",
  model: "the model's name",
  bucket: "the bucket",
  nothing: "nothing",
};

const rulesQuery = {
  queryKey: ["attribution", "rules"],
  queryFn: ({ signal }: { signal: AbortSignal }) =>
    read(api.GET("/api/v1/attribution/rules", { signal })),
};

export function Rules(): ReactElement {
  const { find } = route.useSearch();
  const navigate = route.useNavigate();
  const isAdmin = useIsAdmin();
  const query = useQuery(rulesQuery);
  const [edited, setEdited] = useState<Rule | "new" | null>(null);
  return (
    <Panel
      title={query.data ? `${count(query.data.rules.length)} rules` : "Rules"}
      aside={
        isAdmin && (
          <Button
            size="compact-sm"
            leftSection={<Icon name="plus" size={14} />}
            onClick={() => setEdited("new")}
          >
            Add a rule
          </Button>
        )
      }
    >
      <Text size="sm" c="dimmed" mb="sm">
        Tried from the top; the first one that fits decides. A weaker kind of evidence never
        overrides a stronger one.
      </Text>
      <SearchField
        mb="sm"
        maw={360}
        name="Find a rule"
        placeholder="Find by rule, provider or word"
        value={find ?? ""}
        onChange={(text) =>
          void navigate({
            to: ".",
            replace: true,
            search: (old) => ({ ...old, find: text || undefined }),
          })
        }
      />
      <StateOf query={query}>
        {({ rules }) => <RuleTable rules={narrowed(rules, find)} all={rules} edit={setEdited} />}
      </StateOf>
      {edited && (
        <RuleForm rule={edited === "new" ? null : edited} onClose={() => setEdited(null)} />
      )}
    </Panel>
  );
}

function narrowed(rules: Rule[], find: string | undefined): Rule[] {
  const wanted = find?.trim().toLowerCase();
  if (!wanted) return rules;
  return rules.filter((rule) =>
    [rule.id, rule.provider, ...readsOf(rule)].some((text) => text.toLowerCase().includes(wanted)),
  );
}

/** What a rule looks for, as words. */
export function readsOf(rule: Rule): string[] {
  return [
    ...rule.words,
    ...rule.hosts,
    ...rule.headers,
    ...rule.id_prefixes,
    ...rule.segments.map((one) => `/${one}/`),
    ...rule.buckets.map((one) => `bucket ${one}`),
    ...(rule.aggregator_field ? ["a field provider"] : []),
    ...rule.without.map((one) => `not ${one}`),
  ];
}

interface RuleTableProps {
  rules: Rule[];
  all: Rule[];
  edit: (rule: Rule) => void;
}

function RuleTable({ rules, all, edit }: RuleTableProps): ReactElement {
  if (rules.length === 0) return <Empty says="No rule fits this search." />;
  const own = all.filter((rule) => rule.origin === "operator").map((rule) => rule.id);
  return (
    <div style={{ overflowX: "auto", position: "relative" }}>
      <Table verticalSpacing={4} className={stack.stacked}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Rule</Table.Th>
            <Table.Th>Looks for</Table.Th>
            <Table.Th>Says</Table.Th>
            <Table.Th>How sure</Table.Th>
            <Table.Th ta="right">On</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rules.map((rule, place) => (
            <Fragment key={rule.id}>
              {rule.rank !== rules[place - 1]?.rank && (
                <Table.Tr>
                  <Table.Th colSpan={5} className={classes.rank} scope="colgroup">
                    <Group gap={6}>By {RANKS[rule.rank] ?? rule.rank}</Group>
                  </Table.Th>
                </Table.Tr>
              )}
              <RuleRow rule={rule} own={own} edit={edit} />
            </Fragment>
          ))}
        </Table.Tbody>
      </Table>
    </div>
  );
}
