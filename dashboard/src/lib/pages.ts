/** When is a list right only with all of it? Then its further pages are read by themselves. */
import { useEffect } from "react";

interface Paged {
  hasNextPage: boolean;
  isFetchingNextPage: boolean;
  isError: boolean;
  fetchNextPage: () => Promise<unknown>;
}

/** Read on to the end while the whole is wanted: it is searched or sorted here. */
export function useWhole(query: Paged, isWanted: boolean): void {
  const { hasNextPage, isFetchingNextPage, isError, fetchNextPage } = query;
  useEffect(() => {
    if (isWanted && hasNextPage && !isFetchingNextPage && !isError) void fetchNextPage();
  }, [isWanted, hasNextPage, isFetchingNextPage, isError, fetchNextPage]);
}
