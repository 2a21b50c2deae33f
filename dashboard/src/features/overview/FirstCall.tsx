/** Nothing was called in this time: how does one begin? */
import { Anchor, Code } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import type { ReactElement } from "react";
import { Empty } from "@/components/States";
import { useRange } from "@/lib/range";

export function FirstCall(): ReactElement {
  const { label } = useRange();
  const line = `curl ${window.location.origin}/v1/chat/completions \\
  -H 'Authorization: Bearer <your key>' -H 'Content-Type: application/json' \\
  -d '{"model": "text", "messages": [{"role": "user", "content": "Hello"}]}'`;
  return (
    <Empty says={`No calls in the ${label}. This page fills with the first one.`}>
      <Code block ta="left" maw="100%" tabIndex={0}>
        {line}
      </Code>
      <Anchor renderRoot={(props) => <Link to="/playground" {...props} />}>
        Or send one from the playground
      </Anchor>
    </Empty>
  );
}
