/** Which fields has a model, in which groups? */
import {
  Autocomplete,
  Checkbox,
  Select,
  SimpleGrid,
  Stack,
  Switch,
  TagsInput,
  Text,
  Textarea,
  TextInput,
} from "@mantine/core";
import type { ReactElement } from "react";
import { CATEGORIES } from "@/lib/names";
import type { Draft } from "./draft";

interface GroupProps {
  draft: Draft;
  set: (changed: Partial<Draft>) => void;
  faults: Partial<Record<keyof Draft, string>>;
  isNew: boolean;
}
type Texts = {
  [K in keyof Draft]: Draft[K] extends string ? K : never;
}[keyof Draft];

interface FieldProps extends GroupProps {
  name: Texts;
  label: string;
  description?: string;
  unit?: string;
  required?: boolean;
}

function Field(props: FieldProps): ReactElement {
  const { draft, set, name, label, description, unit, required, faults } = props;
  return (
    <TextInput
      label={label}
      description={description}
      value={draft[name]}
      error={faults[name]}
      required={required}
      inputMode={unit ? "decimal" : undefined}
      leftSection={unit ? <Text size="sm">{unit}</Text> : undefined}
      autoComplete="off"
      onChange={(event) => set({ [name]: event.currentTarget.value })}
    />
  );
}

const PROVIDERS = ["openai", "anthropic", "google", "mistral", "huggingface", "wavespeed"].concat([
  "stability",
  "elevenlabs",
  "replicate",
  "openrouter",
  "xai",
  "runware",
]);

export function Identity(props: GroupProps): ReactElement {
  const { draft, set, faults, isNew } = props;
  return (
    <Stack gap="sm">
      {isNew && (
        <Field
          {...props}
          name="model_name"
          label="Name"
          description="What applications ask for; it stays."
          required
        />
      )}
      <Field {...props} name="display_name" label="Display name" />
      <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm">
        <Select
          label="Type"
          data={[...CATEGORIES]}
          value={draft.model_type}
          allowDeselect={false}
          onChange={(value) => set({ model_type: value ?? "text" })}
        />
        <Autocomplete
          label="Provider"
          data={PROVIDERS}
          value={draft.provider}
          error={faults.provider}
          required
          onChange={(provider) => set({ provider })}
        />
      </SimpleGrid>
      <Textarea
        label="Description"
        autosize
        minRows={2}
        value={draft.description}
        onChange={(event) => set({ description: event.currentTarget.value })}
      />
    </Stack>
  );
}

export function Prices(props: GroupProps): ReactElement {
  return (
    <Stack gap="sm">
      <Text size="sm" c="dimmed">
        A changed price is a new version from this moment on; what was called before keeps its cost.
        Left empty, it is not known. Other units and dates: “Prices” of the model.
      </Text>
      <SimpleGrid cols={{ base: 1, xs: 3 }} spacing="sm">
        <Field {...props} name="input_cost_per_1m" label="Input, per 1M tokens" unit="$" />
        <Field {...props} name="output_cost_per_1m" label="Output, per 1M tokens" unit="$" />
        <Field {...props} name="cost_per_image" label="Per image" unit="$" />
      </SimpleGrid>
    </Stack>
  );
}

export function Sizes(props: GroupProps): ReactElement {
  const { draft, set } = props;
  return (
    <Stack gap="sm">
      <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm">
        <Field {...props} name="context_window" label="Context window, tokens" />
        <Field {...props} name="max_output_tokens" label="Longest answer, tokens" />
      </SimpleGrid>
      <TagsInput
        label="Sizes of images"
        description="Such as 1024x1024; none: any"
        placeholder={draft.valid_sizes.length === 0 ? "any" : undefined}
        value={draft.valid_sizes}
        onChange={(valid_sizes) => set({ valid_sizes })}
      />
    </Stack>
  );
}

const CAN = [
  ["supports_json_mode", "JSON mode"],
  ["supports_vision", "Vision"],
  ["supports_function_calling", "Function calling"],
] as const;

export function Capabilities({ draft, set }: GroupProps): ReactElement {
  return (
    <Stack gap="xs">
      {CAN.map(([name, label]) => (
        <Checkbox
          key={name}
          label={label}
          checked={draft[name]}
          onChange={(event) => set({ [name]: event.currentTarget.checked })}
        />
      ))}
    </Stack>
  );
}

export function State(props: GroupProps): ReactElement {
  const { draft, set, faults } = props;
  return (
    <Stack gap="sm">
      <Switch
        label="Active"
        description="Calls for what is not active are refused, unless a route serves the name"
        checked={draft.is_active}
        onChange={(event) => set({ is_active: event.currentTarget.checked })}
      />
      <Switch
        label="Default of its type"
        description="Calls of its type that name no model take it; there is one"
        checked={draft.is_default}
        error={faults.is_default}
        onChange={(event) => set({ is_default: event.currentTarget.checked })}
      />
      <Field {...props} name="sort_order" label="Order in lists" />
    </Stack>
  );
}
