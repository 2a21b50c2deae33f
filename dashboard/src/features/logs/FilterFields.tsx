/** How is one filter chosen: from a few words, from the names that calls have, or typed? */
import { Autocomplete, CloseButton, Select } from "@mantine/core";
import { memo, type PointerEvent, type ReactElement, useEffect, useMemo, useState } from "react";
import { providerName } from "@/lib/providers";
import { type Filter, useNames } from "./query";

/** So many are listed; typing finds the others. */
const LISTED_MAX = 50;
/** Lists that nobody has open are not drawn anew with each filter. */
const CLOSED_IS_GONE = { keepMounted: false } as const;

export interface Choice {
  value: string;
  label: string;
}

interface Watch {
  onFocus: () => void;
  onBlur: () => void;
  onPointerEnter: () => void;
  onPointerLeave: (event: PointerEvent) => void;
}

/** Whether somebody has come to a field, by pointer or key: its names are asked for then alone. */
function useSomebody(): { isThere: boolean; watch: Watch } {
  const [isThere, setIsThere] = useState(false);
  const watch = useMemo(
    () => ({
      onFocus: () => setIsThere(true),
      onBlur: () => setIsThere(false),
      onPointerEnter: () => setIsThere(true),
      onPointerLeave: (event: PointerEvent) =>
        setIsThere(event.currentTarget.contains(document.activeElement)),
    }),
    [],
  );
  return { isThere, watch };
}

type Set = (name: Filter, value: string | null) => void;

interface OneOfProps {
  name: Filter;
  label: string;
  choices: Choice[];
  value: string | null;
  onChange: Set;
  watch?: Watch;
  isReading?: boolean;
}

// Each of Mantine's fields is as much work as ten rows of the list: only those that change are done.
export const OneOf = memo(function OneOf(props: OneOfProps): ReactElement {
  const { name, label, choices, value, onChange, watch, isReading } = props;
  const known = value === null || choices.some((choice) => choice.value === value);
  return (
    <Select
      aria-label={label}
      placeholder={label}
      data={known ? choices : [{ value: value ?? "", label: value ?? "" }, ...choices]}
      limit={LISTED_MAX}
      comboboxProps={CLOSED_IS_GONE}
      value={value}
      onChange={(chosen) => onChange(name, chosen)}
      {...watch}
      clearable
      searchable
      nothingFoundMessage={isReading ? "Reading the names …" : "Nothing is called so"}
    />
  );
});

type ChosenProps = Pick<OneOfProps, "value" | "onChange">;

export const NamedProvider = memo(function NamedProvider(props: ChosenProps): ReactElement {
  const { value, onChange } = props;
  const { isThere, watch } = useSomebody();
  const { names, isReading } = useNames("provider", isThere);
  const choices = useMemo(() => {
    const all = value === null || names.includes(value) ? names : [value, ...names];
    return all.map((name) => ({ value: name, label: providerName(name) }));
  }, [names, value]);
  const own = { choices, value, onChange, watch, isReading };
  return <OneOf name="provider" label="Provider" {...own} />;
});

interface TypedOneProps {
  name: "model" | "key" | "user";
  label: string;
  value: string | undefined;
  onChange: Set;
}

/** Any name may be typed: there are more than can be listed. */
export const TypedOne = memo(function TypedOne(props: TypedOneProps): ReactElement {
  const { name, label, value, onChange } = props;
  const { isThere, watch } = useSomebody();
  const { names } = useNames(name, isThere);
  const [typed, setTyped] = useState(value ?? "");
  useEffect(() => setTyped(value ?? ""), [value]);
  const done = (text: string): void => {
    if (text.trim() !== (value ?? "")) onChange(name, text.trim() || null);
  };
  return (
    <Autocomplete
      aria-label={label}
      placeholder={label}
      data-page-search={name === "model" || undefined}
      data={names}
      limit={LISTED_MAX}
      comboboxProps={CLOSED_IS_GONE}
      value={typed}
      onChange={setTyped}
      onOptionSubmit={done}
      {...watch}
      onBlur={() => {
        watch.onBlur();
        done(typed);
      }}
      onKeyDown={(event) => {
        if (event.key === "Enter") done(typed);
        if (event.key === "Escape") event.currentTarget.blur();
      }}
      rightSection={
        typed === "" ? null : (
          <CloseButton
            size="sm"
            aria-label={`Clear the ${label.toLowerCase()}`}
            onMouseDown={(event) => event.preventDefault()}
            onClick={() => {
              setTyped("");
              onChange(name, null);
            }}
          />
        )
      }
    />
  );
});
