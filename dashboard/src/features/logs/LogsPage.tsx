/** What happened? The list, newest first, filters in one row above it. */
import { Button, Group, Stack } from "@mantine/core";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { type ReactElement, useCallback, useMemo, useState } from "react";
import { Icon } from "@/components/icons";
import { Failure } from "@/components/States";
import { ago } from "@/lib/format";
import { CallDrawer } from "./CallDrawer";
import { CallTable } from "./CallTable";
import { Filters } from "./Filters";
import { LogExport } from "./LogExport";
import classes from "./Logs.module.css";
import { NoCalls } from "./NoCalls";
import { useLog, useLogQuery } from "./query";
import { Totals } from "./Totals";
import { useTail } from "./tail";

const route = getRouteApi("/framed/logs");

export default function LogsPage(): ReactElement {
  const { call, live } = route.useSearch();
  const navigate = useNavigate({ from: "/logs" });
  const query = useLogQuery();
  const log = useLog(query);
  const [isReading, setIsReading] = useState(false);
  const pages = log.data?.pages;
  const listed = useMemo(() => (pages ?? []).flatMap((page) => page.calls), [pages]);
  const tail = useTail(query, listed, {
    on: live === "true" && log.isSuccess && !log.isPlaceholderData,
    paused: isReading || call !== undefined,
  });
  const rows = tail.rows.length > 0 ? [...tail.rows, ...listed] : listed;
  const open = useCallback(
    (callId: string | undefined) =>
      void navigate({ search: (before) => ({ ...before, call: callId }) }),
    [navigate],
  );
  const { fetchNextPage, hasNextPage, isFetchingNextPage } = log;
  const more = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [fetchNextPage, hasNextPage, isFetchingNextPage]);
  const toggleLive = (): void =>
    void navigate({
      search: (before) => ({ ...before, live: live === "true" ? undefined : "true" }),
      replace: true,
    });
  return (
    <Stack gap="sm" className={classes.page}>
      <Filters />
      <Group justify="space-between" gap="xs">
        <Totals query={query} isDue={log.isSuccess && !log.isPlaceholderData} />
        <Group gap="xs">
          {tail.waiting > 0 && (
            <Button size="compact-sm" variant="light" onClick={tail.show}>
              {tail.waiting} new
            </Button>
          )}
          <Button
            size="compact-sm"
            variant={live === "true" ? "filled" : "default"}
            aria-pressed={live === "true"}
            leftSection={<Icon name={live === "true" ? "pause" : "play"} size={14} />}
            onClick={toggleLive}
          >
            Live
          </Button>
          <LogExport query={query} />
        </Group>
      </Group>
      {log.isError && (
        <Failure
          error={log.error}
          retry={() => void log.refetch()}
          note={log.data ? `What you see is from ${ago(log.dataUpdatedAt)}.` : undefined}
        />
      )}
      {log.isSuccess && rows.length === 0 && !log.hasNextPage ? (
        <NoCalls />
      ) : (
        (log.data || log.isPending) && (
          <CallTable
            rows={rows}
            isLoading={log.isPending}
            isOld={log.isPlaceholderData}
            isFetchingMore={isFetchingNextPage}
            hasMore={hasNextPage}
            onMore={more}
            onOpen={open}
            onReading={setIsReading}
          />
        )
      )}
      <CallDrawer callId={call} onClose={() => open(undefined)} />
    </Stack>
  );
}
