/** Through which doors do calls go, in which order, and which are open? */
import { Button, Text } from "@mantine/core";
import { type DragEvent, type ReactElement, useState } from "react";
import { useIsAdmin } from "@/api/session";
import { failed, told } from "@/components/toasts";
import { type Endpoint, isOn, serves } from "@/lib/endpoints";
import { counted, words } from "@/lib/format";
import type { Category } from "@/lib/names";
import { EndpointRow } from "./EndpointRow";
import { changesFor, inOrder, moved, undoOf } from "./order";
import classes from "./Providers.module.css";
import { type AbsentEndpoint, type EndpointChange, useChangeEndpoints } from "./query";

interface EndpointsProps {
  endpoints: readonly Endpoint[];
  /** Known by name, and not set up here. */
  absent: readonly AbsentEndpoint[];
  category: Category | undefined;
}

export function Endpoints({ endpoints, absent, category }: EndpointsProps): ReactElement {
  const isAdmin = useIsAdmin();
  const change = useChangeEndpoints();
  const [showsAll, setShowsAll] = useState(false);
  const [dragged, setDragged] = useState<string | null>(null);
  const [over, setOver] = useState<string | null>(null);
  const meant = endpoints.filter((one) => serves(one, category));
  const ready = inOrder(
    meant.filter((one) => one.has_key),
    category,
  );
  const others = inOrder(
    meant.filter((one) => !one.has_key),
    category,
  );

  const apply = (changes: [string, EndpointChange][], said: string): void => {
    const undo = undoOf(changes, endpoints, category);
    change.mutate(changes, {
      onSuccess: () => told(said, () => change.mutateAsync(undo).catch(failed)),
      onError: failed,
    });
  };
  const move = (name: string, to: number): void => {
    const from = ready.findIndex((one) => one.name === name);
    if (from < 0 || to < 0 || to >= ready.length || from === to) return;
    const wanted = moved(ready, from, to);
    apply(changesFor(wanted, category, name), `${name} is now tried as number ${to + 1}.`);
  };
  const toggle = (one: Endpoint): void => {
    const on = !isOn(one, category);
    const enabled = category && one.enabled ? { [category]: on } : on;
    apply([[one.name, { enabled }]], `${one.name} is switched ${on ? "on" : "off"}.`);
  };
  const drop = (event: DragEvent, name: string): void => {
    event.preventDefault();
    if (dragged) {
      move(
        dragged,
        ready.findIndex((one) => one.name === name),
      );
    }
    setDragged(null);
    setOver(null);
  };
  return (
    <>
      <Text size="xs" c="dimmed" mb="xs">
        {category
          ? `Order and switches of ${words(category)} alone.`
          : "Order and switches of all categories; choose one above to change it by itself."}
      </Text>
      <ol className={classes.list}>
        {ready.map((one, place) => (
          <EndpointRow
            key={one.name}
            endpoint={one}
            category={category}
            place={place}
            count={ready.length}
            canChange={isAdmin}
            isOver={over === one.name && dragged !== one.name}
            onToggle={() => toggle(one)}
            onMove={(to) => move(one.name, to)}
            drag={{
              onDragStart: () => setDragged(one.name),
              onDragEnd: () => setDragged(null),
              onDragOver: (event) => {
                event.preventDefault();
                setOver(one.name);
              },
              onDrop: (event) => drop(event, one.name),
            }}
          />
        ))}
      </ol>
      {ready.length === 0 && (
        <Text size="sm">
          No endpoint has a key for this. Add one under Settings, or set it in .env.
        </Text>
      )}
      {others.length + absent.length > 0 && (
        <>
          <Button
            variant="subtle"
            size="compact-sm"
            mt="xs"
            aria-expanded={showsAll}
            onClick={() => setShowsAll(!showsAll)}
          >
            {showsAll ? "Hide" : "Show"} {counted(others.length + absent.length, "endpoint")}{" "}
            without a key
          </Button>
          {showsAll && (
            <ul className={classes.list}>
              {others.map((one) => (
                <EndpointRow
                  key={one.name}
                  endpoint={one}
                  category={category}
                  canChange={isAdmin}
                  onToggle={() => toggle(one)}
                />
              ))}
              {absent.map((one) => (
                <li key={one.name} className={classes.absent}>
                  <b>{one.display_name}</b>{" "}
                  <Text component="span" size="xs" c="dimmed">
                    is used when {one.key_variable ?? one.address_variable ?? "it is set up"} is set
                  </Text>
                </li>
              ))}
            </ul>
          )}
        </>
      )}
    </>
  );
}
