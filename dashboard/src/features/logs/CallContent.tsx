/** What was asked and answered, where a key or route wants it kept? Read only when asked for. */
import { Button, Code, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { type ReactElement, useState } from "react";
import { api, read, type Schemas } from "@/api/client";
import { ApiError } from "@/api/errors";
import { Failure, Lines } from "@/components/States";
import { count } from "@/lib/format";
import type { CallInFull } from "./call";

export function CallContent({ call }: { call: CallInFull }): ReactElement {
  const [asked, setAsked] = useState<string | null>(null);
  const isOpen = asked === call.call_id;
  const content = useQuery({
    queryKey: ["usage-logs", "content", call.call_id],
    queryFn: async ({ signal }) => {
      try {
        const path = { call_id: call.call_id };
        return await read(
          api.GET("/api/v1/usage-logs/{call_id}/content", { params: { path }, signal }),
        );
      } catch (error) {
        if (error instanceof ApiError && error.status === 404) return null;
        throw error;
      }
    },
    enabled: isOpen,
  });
  if (!isOpen) {
    return (
      <Button variant="default" size="compact-sm" mt="md" onClick={() => setAsked(call.call_id)}>
        Prompt and answer
      </Button>
    );
  }
  if (content.isError) {
    return <Failure error={content.error} retry={() => void content.refetch()} />;
  }
  if (content.data === undefined) return <Lines count={2} />;
  if (content.data === null) {
    return (
      <Text size="sm" c="dimmed" mt="md">
        Nothing is kept of prompt and answer: neither the key nor the route asks for it.
      </Text>
    );
  }
  return (
    <>
      <Side title="Prompt" side={content.data.prompt} />
      <Side title="Answer" side={content.data.answer} />
    </>
  );
}

function Side(props: { title: string; side: Schemas["Side"] | null }): ReactElement | null {
  const { title, side } = props;
  if (!side) return null;
  return (
    <>
      <Text size="sm" fw={600} mt="md" mb={4}>
        {title}
        {side.truncated && ` (the beginning of ${count(side.body_bytes)} bytes)`}
      </Text>
      <Code block mah={320} style={{ overflow: "auto", whiteSpace: "pre-wrap" }} tabIndex={0}>
        {side.body}
      </Code>
    </>
  );
}
