/** Who are you? The one-time link needs no more than to be opened. */
import { Alert, Box, Paper, Title } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { getRouteApi, useLocation, useNavigate } from "@tanstack/react-router";
import { type ReactElement, useEffect, useRef } from "react";
import { sessionQuery, useSignIn } from "@/api/session";
import { SignInForm } from "@/components/SignInForm";
import { Lines } from "@/components/States";

const route = getRouteApi("/sign-in");

/** An address of ours, never another site's. */
function safe(next: string | undefined): string {
  return next?.startsWith("/") && !next.startsWith("//") && !next.includes("\\") ? next : "/";
}

/** The token of a link. In the fragment, which the browser sends to nobody. */
function tokenOf(hash: string): string | null {
  return new URLSearchParams(hash).get("token");
}

export default function SignInPage(): ReactElement {
  const { next, error } = route.useSearch();
  const token = useLocation({ select: ({ hash }) => tokenOf(hash) });
  const navigate = useNavigate();
  const session = useQuery(sessionQuery);
  const signIn = useSignIn();
  const go = (): void => void navigate({ href: safe(next), replace: true });
  const byLink = useMutation({
    mutationFn: (linkToken: string) => signIn({ link_token: linkToken }),
    onSuccess: go,
  });
  const { mutate } = byLink;
  const tried = useRef<string>(null);
  useEffect(() => {
    // A link works once: it is not tried twice.
    if (!token || tried.current === token) return;
    tried.current = token;
    void navigate({ to: "/sign-in", search: { next }, replace: true }); // without the fragment
    mutate(token);
  }, [token, next, navigate, mutate]);
  const waits = !!token || byLink.isPending;
  const isIn = !!session.data && !token && byLink.isIdle;
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
