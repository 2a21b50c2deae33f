/** One endpoint: its place, its switch, its breaker, its keys, its last errors. */
import { ActionIcon, Badge, Button, Group, Switch, Text } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import type { HTMLAttributes, ReactElement } from "react";
import { Hint, Instant, ProviderDot } from "@/components/Figures";
import { Icon } from "@/components/icons";
import { Name } from "@/components/Name";
import { failedAs } from "@/components/toasts";
import { type Endpoint, isOn, priorityOf } from "@/lib/endpoints";
import { counted, duration, words } from "@/lib/format";
import type { Category } from "@/lib/names";
import { providerName } from "@/lib/providers";
import classes from "./Providers.module.css";
import { useDetach } from "./query";

interface EndpointRowProps {
  endpoint: Endpoint;
  category: Category | undefined;
  canChange: boolean;
  onToggle: () => void;
  /** Without a place it stands in no order. */
  place?: number;
  count?: number;
  onMove?: (to: number) => void;
  isOver?: boolean;
  drag?: Pick<HTMLAttributes<HTMLLIElement>, "onDragStart" | "onDragEnd" | "onDragOver" | "onDrop">;
}

export function EndpointRow(props: EndpointRowProps): ReactElement {
  const { endpoint, category, canChange, place, count = 0, onMove, drag } = props;
  const isOurs = canChange && endpoint.source !== "file";
  const on = isOn(endpoint, category);
  const canMove = isOurs && place !== undefined && onMove !== undefined;
  return (
    <li
      className={`${classes.endpoint} ${props.isOver ? classes.over : ""}`}
      draggable={canMove}
      {...(canMove ? drag : { onDragOver: drag?.onDragOver, onDrop: drag?.onDrop })}
    >
      <Group gap={2} wrap="nowrap" className={classes.place}>
        {place !== undefined && (
          <>
            <ActionIcon
              size="sm"
              disabled={!canMove || place === 0}
              onClick={() => onMove?.(place - 1)}
              aria-label={`Try ${endpoint.name} earlier`}
            >
              <Icon name="up" size={14} />
            </ActionIcon>
            <ActionIcon
              size="sm"
              disabled={!canMove || place === count - 1}
              onClick={() => onMove?.(place + 1)}
              aria-label={`Try ${endpoint.name} later`}
            >
              <Icon name="down" size={14} />
            </ActionIcon>
          </>
        )}
      </Group>
      <div className={classes.name}>
        <Group gap={8} wrap="nowrap">
          <ProviderDot provider={endpoint.provider} />
          <Name strong>{endpoint.name}</Name>
        </Group>
        <Text size="xs" c="dimmed" truncate>
          {providerName(endpoint.provider)} · priority {priorityOf(endpoint, category)}
        </Text>
      </div>
      <div className={classes.state}>
        <State endpoint={endpoint} on={on} />
      </div>
      <Group gap="xs" wrap="nowrap" justify="flex-end" className={classes.switch}>
        {endpoint.source === "file" && canChange && <Detach name={endpoint.name} />}
        <Switch
          checked={on}
          disabled={!isOurs}
          onChange={props.onToggle}
          aria-label={`${endpoint.name} ${on ? "is on" : "is off"}`}
        />
      </Group>
    </li>
  );
}

function State({ endpoint, on }: { endpoint: Endpoint; on: boolean }): ReactElement {
  const open = endpoint.breaker_states.filter((one) => one.state !== "closed");
  const resting = endpoint.keys.filter((key) => Object.keys(key.resting).length > 0);
  const error = endpoint.recent_errors[0];
  return (
    <>
      <Group gap={6}>
        {!on ? (
          <Badge color="gray">off</Badge>
        ) : open.length > 0 ? (
          <Hint
            label={open.map((one) => (
              <div key={one.worker}>
                {one.worker}: {words(one.state)} after {counted(one.failures, "failure")} (
                {words(one.error_class)}), tried again in {duration(one.reopens_in_s * 1000)}
              </div>
            ))}
          >
            <Badge color="red">breaker {words(open[0]?.state)}</Badge>
          </Hint>
        ) : endpoint.has_key ? (
          <Badge color="green">ready</Badge>
        ) : (
          <Badge color="gray">no key</Badge>
        )}
        {endpoint.keys.length > 1 && (
          <Text size="xs" c="dimmed">
            {counted(endpoint.keys.length, "key")}
          </Text>
        )}
        {resting.map((key) => (
          <Badge key={key.name} color="yellow">
            key {key.name} rests
          </Badge>
        ))}
      </Group>
      {error && (
        <Text size="xs" c="dimmed" truncate>
          <Link to="/logs" search={{ call: error.call_id }}>
            <Instant iso={error.at} />
          </Link>{" "}
          {words(error.error_class ?? error.outcome)} {error.http_status ?? ""}
        </Text>
      )}
    </>
  );
}

function Detach({ name }: { name: string }): ReactElement {
  const detach = useDetach();
  return (
    <Hint label="The configuration file declares it. Detached, it is changed here, and the file no longer has a say.">
      <Button
        size="compact-xs"
        variant="default"
        loading={detach.isPending}
        onClick={() => detach.mutate(name, { onError: failedAs("Not detached") })}
      >
        Detach from file
      </Button>
    </Hint>
  );
}
