/** The button that puts a recommendation into force; the toast takes it back. */
import { Button, Tooltip } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import type { ReactElement } from "react";
import { useIsAdmin } from "@/api/session";
import { failed, told } from "@/components/toasts";
import { ENDPOINTS, useEndpoints } from "@/lib/endpoints";
import type { Category } from "@/lib/names";
import { providerName } from "@/lib/providers";
import { type Change, firstOf, place } from "./apply";

interface AskFirstProps {
  provider: string;
  category: Category;
}

export function AskFirst({ provider, category }: AskFirstProps): ReactElement | null {
  const isAdmin = useIsAdmin();
  const endpoints = useEndpoints();
  const queries = useQueryClient();
  const apply = useMutation({
    mutationFn: (change: Change) => place(change.endpoint, category, change.after),
    onSuccess: async (_, change) => {
      told(`${providerName(provider)} is asked first for ${category} from now on.`, async () => {
        await place(change.endpoint, category, change.before);
        await queries.invalidateQueries({ queryKey: ENDPOINTS });
      });
      await queries.invalidateQueries({ queryKey: ENDPOINTS });
    },
    onError: failed,
  });
  if (!isAdmin || !endpoints.data) return null;
  const change = firstOf(endpoints.data.endpoints, provider, category);
  const isOpen = typeof change !== "string";
  return (
    <Tooltip label={isOpen ? `The endpoint ${change.endpoint} moves to the front.` : change}>
      <Button
        size="compact-sm"
        variant={isOpen ? "filled" : "default"}
        style={{ whiteSpace: "nowrap" }}
        data-disabled={!isOpen || undefined}
        aria-disabled={!isOpen}
        loading={apply.isPending}
        onClick={() => isOpen && apply.mutate(change)}
      >
        Ask first
      </Button>
    </Tooltip>
  );
}
