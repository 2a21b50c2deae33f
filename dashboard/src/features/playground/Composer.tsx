/** What is asked for: of which kind, of which route or model, in which words? */
import {
  Button,
  Group,
  NumberInput,
  SegmentedControl,
  Select,
  Stack,
  Text,
  Textarea,
  TextInput,
} from "@mantine/core";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { type FormEvent, type KeyboardEvent, type ReactElement, useState } from "react";
import { Failure } from "@/components/States";
import { type Choice, useChoices, useRates } from "./choices";
import classes from "./Playground.module.css";
import type { Asked } from "./send";
import type { Kind } from "./tries";

const route = getRouteApi("/framed/playground");
const KINDS: readonly { value: Kind; label: string; prompt: string }[] = [
  { value: "text", label: "Text", prompt: "Name three famous bridges, one line each." },
  { value: "image", label: "Image", prompt: "A paper boat under a stone bridge" },
  { value: "audio", label: "Speech", prompt: "Mind the gap between two prices." },
  { value: "video", label: "Video", prompt: "A paper boat drifts under a stone bridge" },
];

interface ComposerProps {
  canSend: boolean;
  isRunning: boolean;
  onSend: (asked: Asked) => void;
  onStop: () => void;
}

export function Composer({ canSend, isRunning, onSend, onStop }: ComposerProps): ReactElement {
  const { category: kind = "text", model = "" } = route.useSearch();
  const navigate = useNavigate({ from: "/playground" });
  const [prompt, setPrompt] = useState("");
  const [options, setOptions] = useState<Record<string, string | number>>({});
  const choices = useChoices(kind);
  const example = KINDS.find((one) => one.value === kind)?.prompt ?? "";
  const chosen = choices.data?.flatMap((one) => one.choices).find((one) => one.value === model);
  const go = (): void => {
    if (!canSend || isRunning) return;
    const given = Object.entries(options).filter(
      ([name, value]) => value !== "" && OPTIONS[kind].includes(name),
    );
    const asked = { kind, model, prompt: prompt.trim() || example };
    onSend({ ...asked, options: { ...fixed(kind, model), ...Object.fromEntries(given) } });
  };
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    go();
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === "Enter" && (event.metaKey || event.ctrlKey)) go();
  };
  return (
    <form onSubmit={submit}>
      <Stack gap="sm">
        <SegmentedControl
          aria-label="What is made"
          data={KINDS.map(({ value, label }) => ({ value, label }))}
          value={kind}
          onChange={(value) =>
            void navigate({
              search: (before) => ({
                ...before,
                category: value === "text" ? undefined : (value as Kind),
                model: undefined,
              }),
              replace: true,
            })
          }
          fullWidth
        />
        {choices.isError && <Failure error={choices.error} retry={() => void choices.refetch()} />}
        <ModelChoice
          groups={choices.data ?? []}
          value={model}
          onChange={(value) =>
            void navigate({
              search: (before) => ({ ...before, model: value || undefined }),
              replace: true,
            })
          }
        />
        <Textarea
          label={kind === "audio" ? "What is said" : "Prompt"}
          placeholder={example}
          autosize
          minRows={4}
          maxRows={16}
          value={prompt}
          maxLength={100_000}
          onChange={(event) => setPrompt(event.currentTarget.value)}
          onKeyDown={onKeyDown}
        />
        <Options
          kind={kind}
          sizes={chosen?.sizes ?? null}
          options={options}
          set={(changed) => setOptions((before) => ({ ...before, ...changed }))}
        />
        <Group gap="sm">
          <Button type="submit" disabled={!canSend} loading={isRunning}>
            Send
          </Button>
          {isRunning && (
            <Button variant="default" onClick={onStop}>
              Stop
            </Button>
          )}
          <Text size="xs" c="dimmed">
            {canSend ? "Ctrl + Enter sends. It is charged as any call is." : "First choose a key."}
          </Text>
        </Group>
      </Stack>
    </form>
  );
}

/** Pictures are asked for whole, so that the page can show them; some models do so unasked. */
function fixed(kind: Kind, model: string): Record<string, string> {
  return kind === "image" && !model.includes("gpt-image") ? { response_format: "b64_json" } : {};
}

const OPTIONS: Readonly<Record<Kind, readonly string[]>> = {
  text: ["max_tokens", "temperature"],
  image: ["size"],
  audio: ["voice"],
  video: ["seconds", "size"],
};

function ModelChoice(props: {
  groups: { group: string; choices: Choice[] }[];
  value: string;
  onChange: (value: string) => void;
}): ReactElement {
  const { groups, value, onChange } = props;
  const all = new Map(groups.flatMap((one) => one.choices).map((one) => [one.value, one]));
  const data = groups.map(({ group, choices }) => ({
    group,
    items: choices.map((one) => ({ value: one.value, label: one.value })),
  }));
  const isForeign = value !== "" && !all.has(value);
  const chosen = all.get(value);
  const rates = useRates(chosen).data;
  return (
    <Select
      label="Route or model"
      placeholder="the default of this kind"
      data={isForeign ? [...data, { group: "Asked for", items: [value] }] : data}
      value={value || null}
      onChange={(next) => onChange(next ?? "")}
      searchable
      clearable
      maxDropdownHeight={360}
      nothingFoundMessage="Nothing is called so"
      description={
        chosen ? `${chosen.price ?? (rates || "no price is known")} · ${chosen.note}` : " "
      }
      renderOption={({ option }) => {
        const one = all.get(option.value);
        return (
          <div className={classes.option}>
            <Text size="sm" className={classes.name}>
              <bdi>{option.label}</bdi>
              {one?.isDefault && " ★"}
            </Text>
            <Text size="xs" c="dimmed" className={classes.name}>
              {one?.price ? `${one.price} · ` : ""}
              {one?.note}
            </Text>
          </div>
        );
      }}
    />
  );
}

function Options(props: {
  kind: Kind;
  sizes: string[] | null;
  options: Record<string, string | number>;
  set: (changed: Record<string, string | number>) => void;
}): ReactElement {
  const { kind, sizes, options, set } = props;
  const number = (name: string, label: string, max: number, decimals = false): ReactElement => (
    <NumberInput
      label={label}
      value={options[name] ?? ""}
      onChange={(value) => set({ [name]: value })}
      min={decimals ? 0 : 1}
      max={max}
      step={decimals ? 0.1 : 1}
      allowDecimal={decimals}
      placeholder="default"
    />
  );
  const text = (name: string, label: string, placeholder: string): ReactElement => (
    <TextInput
      label={label}
      value={options[name] ?? ""}
      placeholder={placeholder}
      onChange={(event) => set({ [name]: event.currentTarget.value })}
    />
  );
  return (
    <div className={classes.options}>
      {kind === "text" && number("max_tokens", "Longest answer", 1_000_000)}
      {kind === "text" && number("temperature", "Temperature", 2, true)}
      {kind === "image" &&
        (sizes ? (
          <Select
            label="Size"
            data={sizes}
            value={String(options.size ?? "") || null}
            onChange={(value) => set({ size: value ?? "" })}
            placeholder="as the model has it"
            clearable
          />
        ) : (
          text("size", "Size", "1024x1024")
        ))}
      {kind === "audio" && text("voice", "Voice", "alloy")}
      {kind === "video" && number("seconds", "Seconds", 60)}
      {kind === "video" && text("size", "Size", "720x1280")}
    </div>
  );
}
