/** How does a page wait, find nothing, or fail? Every list and figure has these four states. */
import { Alert, Box, Button, Code, Group, Skeleton, Stack, Text } from "@mantine/core";
import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactElement, ReactNode } from "react";
import { ApiError, ServerGoneError } from "@/api/errors";
import { ago } from "@/lib/format";

interface StateOfProps<T> {
  query: Pick<
    UseQueryResult<T>,
    "data" | "error" | "isPending" | "isError" | "refetch" | "dataUpdatedAt" | "isFetching"
  >;
  /** Of the final shape, so that nothing jumps. */
  loading?: ReactNode;
  isEmpty?: (data: T) => boolean;
  empty?: ReactNode;
  children: (data: T) => ReactNode;
}

/** Show a query's state: loading, error, empty, or its data; old data stays and says its age. */
export function StateOf<T>(props: StateOfProps<T>): ReactElement {
  const { query, loading, isEmpty, empty, children } = props;
  if (query.data === undefined) {
    if (query.isError) return <Failure error={query.error} retry={() => void query.refetch()} />;
    return <div aria-busy="true">{loading ?? <Lines />}</div>;
  }
  const data = query.data;
  return (
    <>
      {query.isError && (
        <Failure
          error={query.error}
          retry={() => void query.refetch()}
          note={`What you see is from ${ago(query.dataUpdatedAt)}.`}
        />
      )}
      {isEmpty?.(data) ? empty : children(data)}
    </>
  );
}

interface FailureProps {
  error: unknown;
  retry?: () => void;
  note?: string;
}

/** What failed, the request's id, and a way to try again. */
export function Failure({ error, retry, note }: FailureProps): ReactElement {
  const message = error instanceof Error ? error.message : "Something went wrong.";
  const id = error instanceof ApiError ? error.requestId : undefined;
  const title = error instanceof ServerGoneError ? "Not reached" : "This could not be loaded";
  return (
    <Alert color="red" title={title} role="alert" mb="md">
      <Text size="sm">
        {message} {note}
      </Text>
      <Group mt="xs" gap="md">
        {retry && (
          <Button variant="default" size="compact-sm" onClick={retry}>
            Try again
          </Button>
        )}
        {id && (
          <Text size="xs" c="dimmed">
            Request <Code>{id}</Code>
          </Text>
        )}
      </Group>
    </Alert>
  );
}

interface EmptyProps {
  /** One sentence. */
  says: ReactNode;
  /** The next step. */
  children?: ReactNode;
}

export function Empty({ says, children }: EmptyProps): ReactElement {
  return (
    <Stack align="center" gap="sm" py={48} px="md" ta="center">
      <Text component="div">{says}</Text>
      {children}
    </Stack>
  );
}

/** Grey lines in the place of text or rows. */
export function Lines({ count = 6, height = 28 }: { count?: number; height?: number }) {
  return (
    <Stack gap={8}>
      {Array.from({ length: count }, (_, place) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: they are all alike
        <Skeleton key={place} height={height} />
      ))}
    </Stack>
  );
}

/** A titled part of a page. */
export function Panel(props: {
  title: ReactNode;
  aside?: ReactNode;
  children: ReactNode;
}): ReactElement {
  return (
    <Box component="section" className="panel">
      <Group justify="space-between" mb="sm" gap="xs">
        <Text component="h2" fw={600} size="md">
          {props.title}
        </Text>
        {props.aside}
      </Group>
      {props.children}
    </Box>
  );
}
