/** Who are you? The one-time link needs no more than to be opened. */
import { Alert, Box, Paper, Title } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { type ReactElement, useEffect, useRef } from "react";
import { sessionQuery, useSignIn } from "@/api/session";
import { SignInForm } from "@/components/SignInForm";
import { Lines } from "@/components/States";

const route = getRouteApi("/sign-in");

/** An address of ours, never another site's. */
function safe(next: string | undefined): string {
  return next?.startsWith("/") && !next.startsWith("//") && !next.includes("\\") ? next : "/";
}

export default function SignInPage(): ReactElement {
  const { token, next, error } = route.useSearch();
  const navigate = useNavigate();
  const session = useQuery(sessionQuery);
  const signIn = useSignIn();
  const go = (): void => void navigate({ href: safe(next), replace: true });
  const byLink = useMutation({
    mutationFn: (linkToken: string) => signIn({ link_token: linkToken }),
    onSuccess: go,
  });
  const tried = useRef(false);
  useEffect(() => {
    // A link works once: it is not tried twice.
    if (!token || tried.current) return;
    tried.current = true;
    byLink.mutate(token);
  });
  const waits = token !== undefined && (byLink.isIdle || byLink.isPending);
  const isIn = !!session.data && !token;
  useEffect(() => {
    if (isIn) void navigate({ href: safe(next), replace: true });
  }, [isIn, navigate, next]);
  return (
    <Box component="main" maw={400} mx="auto" px="md" pt={{ base: 48, sm: 96 }}>
      <Title order={1} size="h2" mb="lg" ta="center">
        Tollbridge
      </Title>
      <Paper withBorder p="lg">
        {waits ? (
          <Lines count={3} />
        ) : (
          <>
            {(byLink.isError || error) && (
              <Alert color="orange" role="alert" mb="md">
                {byLink.isError
                  ? `${byLink.error.message} A link works once; the next start prints a new one.`
                  : error}
              </Alert>
            )}
            <SignInForm next={safe(next)} onDone={go} />
          </>
        )}
      </Paper>
    </Box>
  );
}
