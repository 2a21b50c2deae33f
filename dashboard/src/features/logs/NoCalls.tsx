/** There is nothing to list: is it the filter, or has nobody called yet? */
import { Button, Code, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import type { ReactElement } from "react";
import { api, read } from "@/api/client";
import { Empty } from "@/components/States";
import { FILTERS } from "./query";

const route = getRouteApi("/framed/logs");

export function NoCalls(): ReactElement {
  const search = route.useSearch();
  const navigate = useNavigate({ from: "/logs" });
  const filtered = FILTERS.some((name) => search[name] !== undefined);
  const keys = useQuery({
    queryKey: ["keys", "first"],
    queryFn: ({ signal }) => read(api.GET("/api/v1/keys", { params: {}, signal })),
    enabled: !filtered,
    retry: false,
  });
  if (filtered || search.range || search.from || search.project) {
    const none = Object.fromEntries(FILTERS.map((name) => [name, undefined]));
    return (
      <Empty says="No call matches these filters in this time.">
        <Button
          variant="default"
          onClick={() =>
            void navigate({ search: { ...none, range: "90d", from: undefined, to: undefined } })
          }
        >
          Show all of the last 90 days
        </Button>
      </Empty>
    );
  }
  const name = keys.data?.keys[0]?.name ?? "your key";
  const line = `curl ${window.location.origin}/v1/chat/completions \\
  -H 'Authorization: Bearer <${name}>' -H 'Content-Type: application/json' \\
  -d '{"model": "text", "messages": [{"role": "user", "content": "Hello"}]}'`;
  return (
    <Empty says="No calls yet. The first one shows up here within a second.">
      <Text size="sm" c="dimmed">
        Send one with the key <bdi>{name}</bdi>:
      </Text>
      <Code block ta="left" maw="100%" tabIndex={0}>
        {line}
      </Code>
    </Empty>
  );
}
