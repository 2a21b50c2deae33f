/** Whose call was it? Each name leads to all calls that bear it. */
import { Anchor, Text } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { Fragment, type ReactElement } from "react";
import { Instant } from "@/components/Figures";
import { words } from "@/lib/format";
import type { CallInFull } from "./call";

export function AuthenticateStage({ call }: { call: CallInFull }): ReactElement {
  return (
    <>
      key <Whose filter="key" name={call.key_name} /> · user{" "}
      <Whose filter="user" name={call.user} /> · project <b>{call.project || "none"}</b>
      {call.customer && (
        <>
          {" "}
          · customer <Whose filter="customer" name={call.customer} />
        </>
      )}
      {call.tags.map((tag) => (
        <Fragment key={tag}>
          {" "}
          · <Whose filter="tag" name={tag} />
        </Fragment>
      ))}
      <Text size="xs" c="dimmed">
        {call.method} {call.path} · {words(call.operation)}
        {call.stream ? ", streamed" : ""} · <Instant iso={call.received_at} />
      </Text>
    </>
  );
}

interface WhoseProps {
  filter: "key" | "user" | "customer" | "tag";
  name: string | null;
}

function Whose({ filter, name }: WhoseProps): ReactElement {
  if (!name) return <b>none</b>;
  return (
    <Anchor
      inherit
      fw={700}
      underline="always"
      renderRoot={(props) => <Link {...props} to="/logs" search={{ [filter]: name }} />}
    >
      <bdi>{name}</bdi>
    </Anchor>
  );
}
