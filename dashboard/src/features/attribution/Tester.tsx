/** Who would have served this, and why? Every rule that fits, in the order they are tried. */
import { Button, Collapse, Group, Select, SimpleGrid, Stack, Text, TextInput } from "@mantine/core";
import { useDebouncedValue, useDisclosure } from "@mantine/hooks";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { type ReactElement, useEffect, useState } from "react";
import { api, read, type Schemas } from "@/api/client";
import { Icon } from "@/components/icons";
import { Empty, Panel, StateOf } from "@/components/States";
import { Verdict } from "./Verdict";

const route = getRouteApi("/framed/attribution");
const BUCKETS = [
  ...["gemini", "openai", "anthropic", "mistral", "wavespeed", "stability", "image_edit"],
  ...["video", "audio", "tavily", "serper", "metaphor", "firecrawl", "exa"],
] as const satisfies readonly Schemas["Bucket"][];
const MORE = {
  served_model: ["Served model", "what the answer says it ran"],
  host: ["Host", "api.example.com"],
  header: ["Header of the answer", "x-inference-provider: groq"],
  response_id: ["Id of the answer", "gen-…"],
  aggregator_provider: ["OpenRouter's field", "Together"],
  reported_provider: ["Named by the reporter", "wavespeed"],
} as const;
type More = keyof typeof MORE;
type Field = "bucket" | "model" | "endpoint" | More;
type Given = Partial<Record<Field, string>>;
const FIELDS: readonly Field[] = ["bucket", "model", "endpoint", ...(Object.keys(MORE) as More[])];
const TYPED_MS = 250;

export function Tester(): ReactElement {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const [given, setGiven] = useState<Given>(() => pick(search));
  const [settled] = useDebouncedValue(given, TYPED_MS);
  const [open, { toggle }] = useDisclosure(
    Object.keys(MORE).some((name) => given[name as More] !== undefined),
  );
  useEffect(() => {
    void navigate({
      to: ".",
      replace: true,
      search: (before) => ({ ...before, ...EMPTY, ...settled }),
    });
  }, [settled, navigate]);
  const set = (field: Field, value: string | null): void =>
    setGiven(({ [field]: _, ...others }) =>
      value?.trim() ? { ...others, [field]: value } : others,
    );
  return (
    <Stack gap="md">
      <Panel
        title="Test a name"
        aside={
          Object.keys(given).length > 0 && (
            <Button variant="subtle" size="compact-sm" onClick={() => setGiven({})}>
              Clear
            </Button>
          )
        }
      >
        <SimpleGrid cols={{ base: 1, sm: 3 }} spacing="sm">
          <Select
            label="Bucket"
            placeholder="any"
            data={BUCKETS}
            value={given.bucket ?? null}
            clearable
            clearButtonProps={{ "aria-label": "Clear" }}
            searchable
            onChange={(value) => set("bucket", value)}
          />
          <TextInput
            label="Model"
            placeholder="kwaivgi/kling-v2.1"
            value={given.model ?? ""}
            data-page-search
            onChange={(event) => set("model", event.currentTarget.value)}
          />
          <TextInput
            label="Endpoint"
            placeholder="a path, or a whole address"
            value={given.endpoint ?? ""}
            onChange={(event) => set("endpoint", event.currentTarget.value)}
          />
        </SimpleGrid>
        <Button
          mt="sm"
          variant="subtle"
          size="compact-sm"
          leftSection={<Icon name={open ? "up" : "expand"} size={14} />}
          aria-expanded={open}
          onClick={toggle}
        >
          {open ? "Less evidence" : "More evidence"}
        </Button>
        <Collapse expanded={open}>
          <SimpleGrid cols={{ base: 1, sm: 3 }} spacing="sm" mt="xs">
            {(Object.keys(MORE) as More[]).map((name) => (
              <TextInput
                key={name}
                label={MORE[name][0]}
                placeholder={MORE[name][1]}
                value={given[name] ?? ""}
                onChange={(event) => set(name, event.currentTarget.value)}
              />
            ))}
          </SimpleGrid>
        </Collapse>
      </Panel>
      {Object.keys(settled).length === 0 ? (
        <Examples give={setGiven} />
      ) : (
        <Answer given={settled} />
      )}
    </Stack>
  );
}

const EMPTY = Object.fromEntries(FIELDS.map((name) => [name, undefined]));

function pick(search: Given): Given {
  const found: Given = {};
  for (const name of FIELDS) if (search[name]) found[name] = search[name];
  return found;
}

const EXAMPLES: readonly Given[] = [
  { bucket: "video", model: "alibaba/wan-2.5/text-to-video" },
  { bucket: "mistral", model: "openai/gpt-oss-120b:groq" },
  { bucket: "audio", model: "tts-1" },
  { bucket: "stability", model: "house-style-v3" },
];

function Examples({ give }: { give: (given: Given) => void }): ReactElement {
  return (
    <Panel title="Who served it?">
      <Empty says="Say what is known of a call: a bucket, a model, an address, a header.">
        <Group gap="xs" justify="center">
          {EXAMPLES.map((one) => (
            <Button
              key={one.model}
              variant="default"
              size="compact-sm"
              onClick={() => give(one)}
            >{`${one.bucket} · ${one.model}`}</Button>
          ))}
        </Group>
      </Empty>
    </Panel>
  );
}

function Answer({ given }: { given: Given }): ReactElement {
  const query = useQuery({
    queryKey: ["attribution", "explain", given],
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) => {
      const { bucket, header, ...others } = given;
      return read(
        api.GET("/api/v1/attribution/explain", {
          params: {
            query: {
              ...others,
              bucket: BUCKETS.find((one) => one === bucket) ?? null,
              ...(header && { header: [header] }),
            },
          },
          signal,
        }),
      );
    },
  });
  return (
    <Panel
      title="Who served it?"
      aside={
        query.data && (
          <Text size="xs" c="dimmed">
            rules {query.data.rules_version}
          </Text>
        )
      }
    >
      <StateOf query={query}>{(found) => <Verdict found={found} />}</StateOf>
    </Panel>
  );
}
