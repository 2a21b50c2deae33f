/** What should somebody know at once: which limit is nearly used up, or is? */
import { Anchor, Button, Group, Text } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import type { ReactElement } from "react";
import { Instant } from "@/components/Figures";
import { Severity } from "@/components/Severity";
import { Panel } from "@/components/States";
import { failed } from "@/components/toasts";
import { alertText, useMarkRead, useUnread } from "@/lib/alerts";
import { count } from "@/lib/format";

/** Those that nobody has read yet; nothing where there is none. */
export function Alerts(): ReactElement | null {
  const { data } = useUnread();
  const markRead = useMarkRead();
  if (!data || data.alerts.length === 0) return null;
  return (
    <Panel
      title={`Alerts (${count(data.unread)} unread)`}
      aside={
        <Anchor size="sm" renderRoot={(props) => <Link to="/alerts" {...props} />}>
          All alerts
        </Anchor>
      }
    >
      {data.alerts.map((one) => (
        <Group key={one.alert_id} justify="space-between" wrap="nowrap" gap="sm" py={4}>
          <Text size="sm" style={{ overflowWrap: "anywhere" }}>
            <Severity of={one.severity} /> <b>{one.title}</b> {alertText(one)}{" "}
            <Text component="span" size="xs" c="dimmed">
              <Instant iso={one.created_at} />
            </Text>
          </Text>
          <Button
            size="compact-xs"
            variant="default"
            flex="none"
            onClick={() => markRead.mutate(one.alert_id, { onError: failed })}
            aria-label={`Read: ${one.title}`}
          >
            Read
          </Button>
        </Group>
      ))}
    </Panel>
  );
}
