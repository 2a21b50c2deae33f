/** What has been told? The newest first; what is read, each says for themselves. */
import { Anchor, Button, Checkbox, Select, Text } from "@mantine/core";
import { useInfiniteQuery, useMutation, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import type { ReactElement } from "react";
import { api, read } from "@/api/client";
import { Instant } from "@/components/Figures";
import { More } from "@/components/More";
import { SearchField } from "@/components/SearchField";
import { Severity } from "@/components/Severity";
import { Empty, Panel, StateOf } from "@/components/States";
import { failed, told } from "@/components/toasts";
import { ALERTS, type Alert, alertText, useMarkRead } from "@/lib/alerts";
import { counted } from "@/lib/format";
import classes from "./Alerts.module.css";

const route = getRouteApi("/framed/alerts");
const REFRESH_MS = 30_000;
const SEVERITIES = ["info", "warning", "error"] as const;

function useAlerts() {
  const { unread, severity, subject, superseded } = route.useSearch();
  const query = {
    ...(unread === "true" && { unread: true }),
    ...(superseded === "true" && { superseded: true }),
    severity,
    subject,
  };
  return useInfiniteQuery({
    queryKey: [...ALERTS, "list", query],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam, signal }) =>
      read(
        api.GET("/api/v1/alerts", { params: { query: { ...query, cursor: pageParam } }, signal }),
      ),
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    refetchInterval: REFRESH_MS,
  });
}

export function Inbox(): ReactElement {
  const search = route.useSearch();
  const alerts = useAlerts();
  const unread = alerts.data?.pages[0]?.unread ?? 0;
  const isNarrowed = !!(search.unread ?? search.severity ?? search.subject);
  return (
    <Panel title="Alerts" aside={unread > 0 && <ReadAll unread={unread} />}>
      <Filters />
      <StateOf
        query={alerts}
        isEmpty={({ pages }) => pages.every((page) => page.alerts.length === 0)}
        empty={
          <Empty says={isNarrowed ? "No alert fits these filters." : "There are no alerts yet."}>
            <Text size="sm" c="dimmed">
              They come when a budget, a plan or a wallet nears its limit.
            </Text>
          </Empty>
        }
      >
        {({ pages }) => (
          <ul className={classes.list} aria-label="Alerts">
            {pages
              .flatMap((page) => page.alerts)
              .map((one) => (
                <Row key={one.alert_id} alert={one} />
              ))}
          </ul>
        )}
      </StateOf>
      <More query={alerts} label="Older" />
    </Panel>
  );
}

function Filters(): ReactElement {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const set = (change: Partial<typeof search>): void =>
    void navigate({ to: ".", replace: true, search: (before) => ({ ...before, ...change }) });
  return (
    <div className={classes.filters}>
      <SearchField
        name="Whom it binds"
        placeholder="Whom it binds: key:ci"
        w={220}
        value={search.subject ?? ""}
        onChange={(subject) => set({ subject: subject || undefined })}
      />
      <Select
        aria-label="Severity"
        placeholder="Severity"
        w={140}
        data={SEVERITIES}
        value={search.severity ?? null}
        clearable
        clearButtonProps={{ "aria-label": "Clear" }}
        onChange={(value) => set({ severity: SEVERITIES.find((one) => one === value) })}
      />
      <Checkbox
        mb={8}
        label="Unread alone"
        checked={search.unread === "true"}
        onChange={(event) => set({ unread: event.currentTarget.checked ? "true" : undefined })}
      />
      <Checkbox
        mb={8}
        label="Also lower thresholds of the same period"
        checked={search.superseded === "true"}
        onChange={(event) => set({ superseded: event.currentTarget.checked ? "true" : undefined })}
      />
    </div>
  );
}

function Row({ alert }: { alert: Alert }): ReactElement {
  const markRead = useMarkRead();
  return (
    <li className={alert.read_at ? classes.read : ""}>
      <Severity of={alert.severity} />
      <div className={classes.text}>
        <Text size="sm" fw={alert.read_at ? 400 : 600}>
          {alert.title}
        </Text>
        <Text size="sm">{alertText(alert)}</Text>
        <Text size="xs" c="dimmed">
          <Instant iso={alert.created_at} /> · {alert.source} <About alert={alert} /> of{" "}
          <bdi>{alert.subject}</bdi>
          {alert.superseded_at && " · a higher threshold followed"}
        </Text>
      </div>
      {alert.read_at ? (
        <Text size="xs" c="dimmed">
          read
        </Text>
      ) : (
        <Button
          size="compact-sm"
          variant="default"
          aria-label={`Read: ${alert.title}`}
          onClick={() => markRead.mutate(alert.alert_id, { onError: failed })}
        >
          Read
        </Button>
      )}
    </li>
  );
}

/** What it is about leads to where that stands now. */
function About({ alert }: { alert: Alert }): ReactElement {
  const { source, limit, subject } = alert;
  const user = subject.startsWith("user:") ? subject.slice("user:".length) : undefined;
  return (
    <Anchor
      size="xs"
      underline="always"
      renderRoot={(props) =>
        source === "budget" ? (
          <Link {...props} to="/budgets" search={{ find: limit }} />
        ) : source === "plan" ? (
          <Link {...props} to="/budgets" search={{ tab: "subscriptions", user }} />
        ) : (
          <Link {...props} to="/credits" search={{ wallet: limit }} />
        )
      }
    >
      <bdi>{limit}</bdi>
    </Anchor>
  );
}

function ReadAll({ unread }: { unread: number }): ReactElement {
  const queries = useQueryClient();
  const readAll = useMutation({
    mutationFn: () => read(api.POST("/api/v1/alerts/read-all")),
    onSuccess: (done) => told(`${counted(done.read, "alert")} marked as read.`),
    onError: failed,
    onSettled: () => queries.invalidateQueries({ queryKey: ALERTS }),
  });
  return (
    <Button
      size="compact-sm"
      variant="default"
      loading={readAll.isPending}
      onClick={() => readAll.mutate()}
    >
      Mark all {counted(unread, "alert")} as read
    </Button>
  );
}
