/** Why did this cost that, and who served it? One call along the stages that it went through. */
import { ActionIcon, Button, CopyButton, Drawer, Group, Text, Tooltip } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactElement } from "react";
import { api, read } from "@/api/client";
import { ApiError } from "@/api/errors";
import { Latency, Money, ProviderDot } from "@/components/Figures";
import { Icon } from "@/components/icons";
import { Outcome } from "@/components/Outcome";
import { Empty, Lines, StateOf } from "@/components/States";
import { isEstimated } from "@/lib/estimate";
import { providerName } from "@/lib/providers";
import { CallContent } from "./CallContent";
import type { CallInFull } from "./call";
import { Stages } from "./Stages";

/** What the playground can send. */
const REPEATABLE = ["text", "image", "audio", "video"] as const;

interface CallDrawerProps {
  callId: string | undefined;
  onClose: () => void;
}

export function CallDrawer({ callId, onClose }: CallDrawerProps): ReactElement {
  const isSmall = useMediaQuery("(max-width: 47.99em)");
  return (
    <Drawer
      opened={callId !== undefined}
      onClose={onClose}
      position="right"
      size={isSmall ? "100%" : 720}
      title="One call"
      overlayProps={{ backgroundOpacity: 0.15 }}
      closeButtonProps={{ "aria-label": "Close the call" }}
    >
      {callId && <OneCall callId={callId} />}
    </Drawer>
  );
}

function OneCall({ callId }: { callId: string }): ReactElement {
  const call = useQuery({
    queryKey: ["usage-logs", "call", callId],
    queryFn: ({ signal }) =>
      read(
        api.GET("/api/v1/usage-logs/{call_id}", { params: { path: { call_id: callId } }, signal }),
      ),
    // A call under way changes until its end.
    refetchInterval: (query) => (query.state.data?.status === "PROCESSING" ? 1000 : false),
  });
  if (call.error instanceof ApiError && call.error.status === 404) {
    return <Empty says="There is no such call, or it is not yours to see." />;
  }
  return (
    <StateOf query={call} loading={<Lines count={10} />}>
      {(found) => (
        <>
          <InOneLine call={found} />
          <Stages call={found} />
          <CallContent call={found} />
        </>
      )}
    </StateOf>
  );
}

function InOneLine({ call }: { call: CallInFull }): ReactElement {
  const name = call.actual_provider_display || providerName(call.actual_provider_name);
  const category = REPEATABLE.find((one) => one === call.category);
  return (
    <>
      <Group gap={6} mb={4} wrap="wrap">
        <Outcome status={call.status} httpStatus={call.http_status} />
        <Dot />
        <ProviderDot provider={call.actual_provider_name} />
        <Text fw={700} size="sm">
          {name}
        </Text>
        <Text size="sm" c="dimmed">
          (bucket {call.bucket})
        </Text>
        <Dot />
        <Text component="span" size="sm" fw={600}>
          <Money
            usd={call.cost_now_usd}
            reason={call.unpriced_reason}
            estimated={isEstimated(call)}
          />
        </Text>
        <Dot />
        <Text component="span" size="sm">
          <Latency ms={call.latency_ms} />
        </Text>
      </Group>
      <Group gap={4} mb="md">
        <Text size="xs" c="dimmed" ff="monospace" style={{ overflowWrap: "anywhere" }}>
          {call.call_id}
        </Text>
        <CopyButton value={call.call_id}>
          {({ copied, copy }) => (
            <Tooltip label={copied ? "Copied" : "Copy the id"}>
              <ActionIcon size="sm" onClick={copy} aria-label="Copy the id">
                <Icon name={copied ? "check" : "copy"} size={14} />
              </ActionIcon>
            </Tooltip>
          )}
        </CopyButton>
        {category && call.path.startsWith("/v1/") && (
          <Button
            size="compact-xs"
            variant="default"
            renderRoot={(props) => (
              <Link to="/playground" search={{ category, model: call.label }} {...props} />
            )}
          >
            Open in playground
          </Button>
        )}
      </Group>
    </>
  );
}

function Dot(): ReactElement {
  return (
    <Text component="span" size="sm" c="dimmed" aria-hidden="true">
      ·
    </Text>
  );
}
