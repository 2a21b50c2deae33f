/** How is a text handed over that is shown this once? Whole, with a button that copies it. */
import { Button, Group, Input, Textarea, TextInput } from "@mantine/core";
import { type ReactElement, useRef, useState } from "react";
import { Icon } from "./icons";

interface SecretProps {
  label: string;
  value: string;
  /** Several lines, such as a command. */
  lines?: boolean;
}

export function Secret({ label, value, lines }: SecretProps): ReactElement {
  const field = useRef<HTMLInputElement & HTMLTextAreaElement>(null);
  const [state, setState] = useState<"new" | "copied" | "marked">("new");
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(value);
      setState("copied");
    } catch {
      // Without HTTPS a browser gives no clipboard: it is marked, for the keyboard to copy.
      field.current?.focus();
      field.current?.select();
      setState("marked");
    }
  };
  const shared = {
    ref: field,
    value,
    readOnly: true,
    "aria-label": label,
    onFocus: () => field.current?.select(),
    styles: { input: { fontFamily: "var(--mantine-font-family-monospace)" } },
    style: { flex: 1, minWidth: 0 },
  };
  return (
    <Input.Wrapper label={label}>
      <Group gap="xs" wrap="nowrap" align="flex-start">
        {lines ? <Textarea {...shared} autosize minRows={2} /> : <TextInput {...shared} />}
        <Button
          variant="default"
          leftSection={<Icon name={state === "copied" ? "check" : "copy"} />}
          onClick={() => void copy()}
          aria-live="polite"
        >
          {state === "copied" ? "Copied" : state === "marked" ? "Press ⌘C" : "Copy"}
        </Button>
      </Group>
    </Input.Wrapper>
  );
}
