/** What does a route answer, who serves it, and what does it cost? */
import { Group, Stack, Text, UnstyledButton } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { type ReactElement, useRef, useState } from "react";
import { useSession } from "@/api/session";
import { Name } from "@/components/Name";
import { Empty, Panel } from "@/components/States";
import { instant } from "@/lib/format";
import { Answer } from "./Answer";
import { Composer } from "./Composer";
import { KeyChoice } from "./KeyChoice";
import { type Credential, passFor, useCallKeys, useTypedKey } from "./key";
import classes from "./Playground.module.css";
import { type Asked, cancelJob, Refused, send } from "./send";
import { addTry, changeTry, type Try, useTries } from "./tries";

const route = getRouteApi("/framed/playground");

/** The key of the address, or the first of one's own: nobody else's is taken unasked. */
function useChosenKey(): string | undefined {
  const { key } = route.useSearch();
  const user = useSession()?.user;
  const able = useCallKeys().data ?? [];
  if (key !== undefined) return able.find((one) => one.name === key)?.name;
  return able.find((one) => one.user === user)?.name;
}

/** What calls are made with; null: no key was chosen. */
function useCredential(): Credential | null {
  const typed = useTypedKey();
  const chosen = useChosenKey();
  if (typed !== null) return async () => typed;
  return chosen === undefined ? null : passFor(chosen);
}

export default function PlaygroundPage(): ReactElement {
  const tries = useTries();
  const credential = useCredential();
  const queries = useQueryClient();
  const navigate = route.useNavigate();
  const chosen = useChosenKey();
  const [shownId, setShownId] = useState<number | null>(null);
  const stop = useRef<AbortController | null>(null);
  const shown = tries.find((one) => one.id === shownId) ?? tries[0];
  const running = tries.find((one) => one.state === "running");

  const run = async (asked: Asked): Promise<void> => {
    if (!credential) return;
    const control = new AbortController();
    stop.current = control;
    const { id } = addTry(asked);
    setShownId(id);
    try {
      await send(credential, asked, (changed) => changeTry(id, changed), control.signal);
      changeTry(id, { state: "done" });
    } catch (error) {
      if (control.signal.aborted) {
        changeTry(id, { state: "stopped" });
      } else {
        const known = error instanceof Refused ? error.headers : {};
        const message = error instanceof Error ? error.message : "It did not work.";
        changeTry(id, { ...known, state: "failed", error: message });
      }
    }
    // What was just called stands in logs and sums.
    void queries.invalidateQueries({ queryKey: ["insight"] });
  };
  const halt = (): void => {
    if (credential && running?.job) void cancelJob(credential, running.job).catch(() => undefined);
    stop.current?.abort();
  };
  return (
    <div className={classes.page}>
      <div className={classes.column}>
        <Panel title="Key">
          <KeyChoice
            value={chosen}
            onChange={(key) =>
              void navigate({ to: ".", replace: true, search: (before) => ({ ...before, key }) })
            }
          />
        </Panel>
        <Panel title="Ask">
          <Composer
            canSend={credential !== null}
            isRunning={running !== undefined}
            onSend={(asked) => void run(asked)}
            onStop={halt}
          />
        </Panel>
      </div>
      <div className={classes.column}>
        {shown ? (
          <Answer key={shown.id} one={shown} />
        ) : (
          <div className="panel">
            <Empty says="Choose a route or a model and send something: the answer comes here, with who served it and what it cost." />
          </div>
        )}
        {tries.length > 0 && (
          <Panel title="Tried since this page was loaded">
            <Stack gap={4} component="ol" m={0} p={0} style={{ listStyle: "none" }}>
              {tries.map((one) => (
                <li key={one.id}>
                  <Row one={one} isShown={one === shown} onShow={() => setShownId(one.id)} />
                </li>
              ))}
            </Stack>
          </Panel>
        )}
      </div>
    </div>
  );
}

const SIGNS = { running: "…", done: "✔", failed: "✕", stopped: "■" } as const;

function Row(props: { one: Try; isShown: boolean; onShow: () => void }): ReactElement {
  const { one, isShown, onShow } = props;
  return (
    <UnstyledButton className={classes.try} aria-current={isShown} onClick={onShow}>
      <Group gap="sm" wrap="nowrap">
        <Text size="sm" component="span" title={one.state}>
          <span aria-hidden="true">{SIGNS[one.state]}</span>
          <span className="visually-hidden">{one.state}</span>
        </Text>
        <Text size="xs" c="dimmed" component="span" flex="none">
          {instant(one.at)}
        </Text>
        <span style={{ minWidth: 0, flex: "0 1 180px" }}>
          <Name>{one.model || `default ${one.kind}`}</Name>
        </span>
        <span style={{ minWidth: 0, flex: "1 1 0" }}>
          <Name minor>{one.prompt}</Name>
        </span>
      </Group>
    </UnstyledButton>
  );
}
