/** How does one take away what is filtered? As a file that the server streams, whole. */
import { Button, Menu } from "@mantine/core";
import type { ReactElement } from "react";
import { Icon } from "@/components/icons";
import type { LogQuery } from "./query";

const FORMATS = [
  { format: "csv", says: "CSV", about: "a row per call" },
  { format: "jsonl", says: "JSON lines", about: "an object per call" },
  { format: "focus", says: "FOCUS 1.2", about: "a row per cost, for finance" },
] as const;

export function LogExport({ query }: { query: LogQuery }): ReactElement {
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <Button
          size="compact-sm"
          variant="default"
          leftSection={<Icon name="download" size={14} />}
          title="All calls that the filters let by"
        >
          Export
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        {FORMATS.map(({ format, says, about }) => (
          // The session's cookie goes along; what is refused is a failed download, not a page.
          <Menu.Item key={format} component="a" href={address(query, format)} download>
            {says}: {about}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}

function address(query: LogQuery, format: string): string {
  const words = new URLSearchParams({ format });
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null) words.set(name, String(value));
  }
  return `/api/v1/usage-logs/export?${words}`;
}
