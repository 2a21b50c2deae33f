/** What came of a try: the answer, who served it, and what it cost. */
import { Alert, Anchor, Loader, Progress, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactElement, ReactNode } from "react";
import { api, read } from "@/api/client";
import { ApiError } from "@/api/errors";
import { Latency, Money, Provider, Tokens } from "@/components/Figures";
import { isEstimated } from "@/lib/estimate";
import { count } from "@/lib/format";
import classes from "./Playground.module.css";
import type { Try } from "./tries";

const POLL_MS = 500;
const POLLS_MAX = 60;

/** The call as the books have it: its cost is known there, a moment after its end. */
function useCall(one: Try) {
  return useQuery({
    queryKey: ["call", one.callId, "playground"],
    enabled: one.callId !== undefined && one.state !== "running",
    queryFn: async ({ signal }) => {
      // The books hear of a call a moment after its caller does.
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      const params = { path: { call_id: one.callId ?? "" } };
      return read(api.GET("/api/v1/usage-logs/{call_id}", { params, signal }));
    },
    retry: (tried, error) =>
      error instanceof ApiError && error.status === 404 ? tried < 20 : tried < 2,
    retryDelay: POLL_MS,
    refetchInterval: ({ state }) =>
      state.data?.status === "PROCESSING" && state.dataUpdateCount < POLLS_MAX ? POLL_MS : false,
  });
}

export function Answer({ one }: { one: Try }): ReactElement {
  return (
    <section className="panel" aria-label="Answer">
      <div aria-live="polite">
        <Made one={one} />
      </div>
      {one.error && (
        <Alert color="red" role="alert" title="It was not served" mt="sm">
          {one.error}
        </Alert>
      )}
      {one.state === "stopped" && (
        <Text size="sm" c="dimmed" mt="sm">
          Stopped. What was made until then is charged.
        </Text>
      )}
      <Facts one={one} />
    </section>
  );
}

function Made({ one }: { one: Try }): ReactElement {
  if (one.media) {
    if (one.kind === "image")
      return <img className={classes.media} src={one.media} alt={one.prompt} />;
    if (one.kind === "audio") {
      // biome-ignore lint/a11y/useMediaCaption: what it says is the prompt, which stands beside it
      return <audio controls src={one.media} style={{ width: "100%" }} />;
    }
    // biome-ignore lint/a11y/useMediaCaption: a film that was made a moment ago has none
    return <video className={classes.media} controls src={one.media} />;
  }
  if (one.elsewhere) {
    return (
      <Text size="sm">
        The provider keeps it at an address of its own, which this page may not show.{" "}
        <Anchor href={one.elsewhere} target="_blank" rel="noreferrer noopener">
          Open it there
        </Anchor>
      </Text>
    );
  }
  if (one.kind === "text" && one.text !== "") {
    return (
      <div className={classes.answer} dir="auto">
        {one.text}
      </div>
    );
  }
  if (one.state !== "running") return <Text c="dimmed">{one.error ? "" : "Nothing came."}</Text>;
  if (one.progress !== undefined) {
    return (
      <div>
        <Text size="sm" mb={4}>
          The film is made: {count(one.progress)} of 100
        </Text>
        <Progress value={one.progress} aria-label="Progress" animated />
      </div>
    );
  }
  return <Loader size="sm" aria-label="It is on its way" />;
}

function Facts({ one }: { one: Try }): ReactElement | null {
  const found = useCall(one);
  const call = found.data;
  const isDone = call !== undefined && call.status !== "PROCESSING";
  if (!one.callId && !one.provider) return null;
  return (
    <>
      <dl className={classes.facts}>
        <Fact title="Served by">
          {call?.actual_provider_name || one.provider ? (
            <Provider
              provider={call?.actual_provider_name ?? one.provider}
              display={call?.actual_provider_display}
              bucket={call?.bucket}
              upstream={call?.upstream_provider_name}
            />
          ) : (
            "…"
          )}
        </Fact>
        <Fact title="Model">
          <bdi>{call?.served_model ?? call?.requested_model ?? one.served ?? "…"}</bdi>
        </Fact>
        <Fact title="Attempts">{count(call?.attempts ?? one.attempts)}</Fact>
        <Fact title="Tokens">
          {isDone ? <Tokens value={call.total_tokens} estimated={isEstimated(call)} /> : "…"}
        </Fact>
        <Fact title="Cost">
          {isDone ? (
            <Money
              usd={call.cost_now_usd}
              reason={call.unpriced_reason}
              estimated={isEstimated(call)}
            />
          ) : (
            "…"
          )}
        </Fact>
        <Fact title="First word, whole">
          <Latency ms={call?.first_byte_ms ?? one.firstMs} /> ·{" "}
          <Latency ms={call?.latency_ms ?? one.wholeMs} />
        </Fact>
      </dl>
      {one.callId && (
        <Text size="sm" mt="sm">
          <Anchor
            size="sm"
            renderRoot={(rest) => <Link to="/logs" search={{ call: one.callId }} {...rest} />}
          >
            Why it cost that, and who was tried
          </Anchor>
        </Text>
      )}
    </>
  );
}

function Fact(props: { title: string; children: ReactNode }): ReactElement {
  return (
    <div>
      <dt>{props.title}</dt>
      <dd>{props.children}</dd>
    </div>
  );
}
