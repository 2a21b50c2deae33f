/** Where do I want to go? Opened by `/` or ⌘K; it also finds calls, providers and models. */

import { useHotkeys } from "@mantine/hooks";
import { Spotlight, type SpotlightActionData, spotlight } from "@mantine/spotlight";
import { useNavigate } from "@tanstack/react-router";
import { type ReactElement, useState } from "react";
import { Icon } from "@/components/icons";
import { PAGES } from "@/navigation";
import { useToggleScheme } from "./TopBar";

const CALL_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** `/` goes to the page's own search field where it has one, else it opens the palette. */
function focusSearch(): void {
  const field = document.querySelector<HTMLInputElement>("[data-page-search]");
  if (field) field.focus();
  else spotlight.open();
}

export function Palette(): ReactElement {
  const navigate = useNavigate();
  const toggle = useToggleScheme();
  const [query, setQuery] = useState("");
  useHotkeys([["/", focusSearch]]);
  const asked = query.trim();
  const found: SpotlightActionData[] = [];
  if (CALL_ID.test(asked)) {
    const search = { call: asked.toLowerCase() };
    const open = (): void => void navigate({ to: "/logs", search });
    found.push({ id: "call", label: `Open call ${asked}`, onClick: open });
  } else if (asked !== "") {
    const named = (key: "provider" | "model"): void =>
      void navigate({ to: "/logs", search: { [key]: asked } });
    found.push(
      { id: "model", label: `Calls of model “${asked}”`, onClick: () => named("model") },
      { id: "provider", label: `Calls by provider “${asked}”`, onClick: () => named("provider") },
    );
  }
  const pages: SpotlightActionData[] = PAGES.map((page) => ({
    id: page.to,
    label: page.label,
    keywords: page.also,
    onClick: () => void navigate({ to: page.to }),
  }));
  const actions: SpotlightActionData[] = [
    ...pages,
    { id: "scheme", label: "Switch light and dark", keywords: "theme", onClick: toggle },
  ];
  return (
    <Spotlight
      query={query}
      onQueryChange={setQuery}
      actions={[...actions, ...found.map((one) => ({ ...one, keywords: asked }))]}
      shortcut="mod + K"
      nothingFound="Nothing is called so"
      searchProps={{
        placeholder: "Go to a page, or find a call, a model, a provider",
        "aria-label": "Go to",
        leftSection: <Icon name="search" />,
      }}
      highlightQuery
      scrollable
      limit={12}
    />
  );
}
