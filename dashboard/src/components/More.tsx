/** How does one get at the rest of a list? By its next page, as long as there is one. */
import { Button } from "@mantine/core";
import type { ReactElement } from "react";

interface MoreProps {
  query: {
    hasNextPage: boolean;
    isFetchingNextPage: boolean;
    fetchNextPage: () => Promise<unknown>;
  };
  /** What the button says, where it is not "More". */
  label?: string;
}

export function More({ query, label = "More" }: MoreProps): ReactElement | null {
  if (!query.hasNextPage) return null;
  return (
    <Button
      mt="sm"
      variant="default"
      loading={query.isFetchingNextPage}
      onClick={() => void query.fetchNextPage()}
    >
      {label}
    </Button>
  );
}
