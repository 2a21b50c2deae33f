/** Is the server gone? Then say so, ask until it is back, and load everything anew. */
import { Alert, Text } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { type ReactElement, useEffect, useState } from "react";
import { serverAnswers, useGoneSince } from "@/api/connection";
import { ago } from "@/lib/format";

const ASK_EVERY_MS = 2000;

/** What needs no sign-in, and only the office answers. */
async function isBack(): Promise<boolean> {
  try {
    return (await fetch("/api/v1/auth/methods", { cache: "no-store" })).ok;
  } catch {
    return false;
  }
}

export function ServerBanner(): ReactElement | null {
  const goneSince = useGoneSince();
  const queries = useQueryClient();
  const [, setTick] = useState(0);
  useEffect(() => {
    if (goneSince === null) return;
    const timer = setInterval(async () => {
      setTick((tick) => tick + 1);
      if (await isBack()) {
        serverAnswers();
        // Who is signed in is asked by what is refused: see api/session.ts.
        void queries.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] !== "session" });
      }
    }, ASK_EVERY_MS);
    return () => clearInterval(timer);
  }, [goneSince, queries]);
  if (goneSince === null) return null;
  return (
    <Alert color="orange" title="The server does not answer" role="alert" mb="md">
      <Text size="sm">
        Last tried {ago(goneSince)}. What you see may be old; what you typed stays. It is asked
        again every two seconds.
      </Text>
    </Alert>
  );
}
