/** How does one take away what is filtered? As CSV, read page by page, up to a bound. */
import { Button } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { type ReactElement, useRef, useState } from "react";
import { Icon } from "@/components/icons";
import { count } from "@/lib/format";
import { COLUMNS, line } from "./csv";
import { type LogQuery, readPage } from "./query";

const ROWS_MAX = 20_000;
const PAGE_ROWS = 500;

export function LogExport({ query }: { query: LogQuery }): ReactElement {
  const [rows, setRows] = useState<number | null>(null);
  const stop = useRef<AbortController | null>(null);
  const run = async (): Promise<void> => {
    const control = new AbortController();
    stop.current = control;
    setRows(0);
    const lines = [COLUMNS.join(",")];
    let cursor: string | undefined;
    try {
      do {
        const page = await readPage({ ...query, limit: PAGE_ROWS }, cursor, control.signal);
        lines.push(...page.calls.map(line));
        setRows(lines.length - 1);
        cursor = page.next_cursor ?? undefined;
      } while (cursor && lines.length <= ROWS_MAX);
      save(`${lines.join("\r\n")}\r\n`);
      const found = count(lines.length - 1);
      notifications.show({
        color: cursor ? "orange" : "green",
        message: cursor
          ? `The newest ${found} calls are in the file. There are more: narrow the time to get them.`
          : `${found} calls are in the file.`,
      });
    } catch (error) {
      if (control.signal.aborted) return;
      const message = error instanceof Error ? error.message : "The export failed.";
      notifications.show({ color: "red", title: "No file was made", message });
    } finally {
      setRows(null);
    }
  };
  if (rows !== null) {
    return (
      <Button size="compact-sm" variant="default" onClick={() => stop.current?.abort()}>
        {count(rows)} rows … cancel
      </Button>
    );
  }
  return (
    <Button
      size="compact-sm"
      variant="default"
      leftSection={<Icon name="download" size={14} />}
      title={`CSV, at most the newest ${count(ROWS_MAX)} calls`}
      onClick={() => void run()}
    >
      CSV
    </Button>
  );
}

function save(text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = `usage-logs-${new Date().toISOString().slice(0, 16).replace(":", "")}.csv`;
  link.click();
  URL.revokeObjectURL(url);
}
