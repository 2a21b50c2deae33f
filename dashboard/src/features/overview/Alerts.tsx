/** What should somebody know at once: which limit is nearly used up, or is? */
import { Anchor, Button, Group, Text } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactElement } from "react";
import { api, read } from "@/api/client";
import { Instant } from "@/components/Figures";
import { Panel } from "@/components/States";
import { failed } from "@/components/toasts";

const SHOWN_MAX = 4;
const SIGNS: Readonly<Record<string, [sign: string, color: string]>> = {
  info: ["i", "var(--mantine-color-dimmed)"],
  warning: ["!", "var(--warn)"],
  error: ["✕", "var(--bad)"],
  critical: ["✕", "var(--bad)"],
};

/** Those that nobody has read yet; nothing where there is none. */
export function Alerts(): ReactElement | null {
  const queries = useQueryClient();
  const alerts = useQuery({
    queryKey: ["alerts", "unread"],
    queryFn: ({ signal }) =>
      read(api.GET("/api/v1/alerts", { params: { query: { limit: 50 } }, signal })),
    refetchInterval: 60_000,
    retry: false,
  });
  const done = useMutation({
    mutationFn: (alertId: string) =>
      read(api.POST("/api/v1/alerts/{alert_id}/read", { params: { path: { alert_id: alertId } } })),
    onError: failed,
    onSettled: () => void queries.invalidateQueries({ queryKey: ["alerts"] }),
  });
  const unread = (alerts.data?.alerts ?? []).filter((one) => !one.read_at && !one.superseded_at);
  if (unread.length === 0) return null;
  return (
    <Panel
      title={`Alerts (${alerts.data?.unread ?? unread.length} unread)`}
      aside={
        <Anchor size="sm" renderRoot={(props) => <Link to="/budgets" {...props} />}>
          All alerts
        </Anchor>
      }
    >
      {unread.slice(0, SHOWN_MAX).map((one) => {
        const [sign, color] = SIGNS[one.severity] ?? ["!", "var(--warn)"];
        return (
          <Group key={one.alert_id} justify="space-between" wrap="nowrap" gap="sm" py={4}>
            <Text size="sm" style={{ overflowWrap: "anywhere" }}>
              <Text component="span" c={color} fw={700} role="img" aria-label={one.severity}>
                {sign}
              </Text>{" "}
              <b>{one.title}</b> {one.message}{" "}
              <Text component="span" size="xs" c="dimmed">
                <Instant iso={one.created_at} />
              </Text>
            </Text>
            <Button
              size="compact-xs"
              variant="default"
              flex="none"
              onClick={() => done.mutate(one.alert_id)}
              aria-label={`Read: ${one.title}`}
            >
              Read
            </Button>
          </Group>
        );
      })}
    </Panel>
  );
}
