/** How is a list searched? What is typed goes into the address a moment after the last letter, or with Enter. */
import { CloseButton, TextInput, type TextInputProps } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { type ReactElement, useEffect, useRef, useState } from "react";
import { Icon } from "./icons";

const WAIT_MS = 150;
const LENGTH_MAX = 200;

type Look = Pick<TextInputProps, "className" | "label" | "placeholder" | "w" | "mb" | "maw">;

interface SearchFieldProps extends Look {
  /** As the address has it; "" is nothing. */
  value: string;
  onChange: (text: string) => void;
  /** What it is for, where no label stands above it. */
  name?: string;
  /** Whether the key for searching leads to it; one field of a page is the one. */
  isPageSearch?: boolean;
}

export function SearchField(props: SearchFieldProps): ReactElement {
  const { value, onChange, name, isPageSearch = true, ...look } = props;
  const [typed, setTyped] = useState(value);
  const seen = useRef(value);
  const told = useRef(value);
  const say = (text: string): void => {
    told.current = text;
    onChange(text);
  };
  const tell = useDebouncedCallback((text: string) => say(text.trim()), WAIT_MS);
  // The address may change by other ways: back, a link, "Clear" beside the field. What it has from
  // here is left alone: somebody may have typed on meanwhile.
  useEffect(() => {
    if (value === seen.current) return;
    seen.current = value;
    if (value === told.current) return;
    told.current = value;
    tell.cancel();
    setTyped(value);
  }, [value, tell]);
  return (
    <TextInput
      {...look}
      aria-label={name}
      data-page-search={isPageSearch || undefined}
      leftSection={<Icon name="search" size={14} />}
      value={typed}
      maxLength={LENGTH_MAX}
      onChange={(event) => {
        setTyped(event.currentTarget.value);
        tell(event.currentTarget.value);
      }}
      onKeyDown={(event) => {
        if (event.key === "Escape") event.currentTarget.blur();
        if (event.key === "Enter") {
          tell.cancel();
          say(typed.trim());
        }
      }}
      rightSection={
        typed === "" ? null : (
          <CloseButton
            size="sm"
            aria-label="Clear the search"
            onClick={() => {
              // What was typed last is waiting still, and would come back.
              tell.cancel();
              setTyped("");
              say("");
            }}
          />
        )
      }
    />
  );
}
