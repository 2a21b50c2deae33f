/** What may be used, at what price? */
import { Badge } from "@mantine/core";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { type ReactElement, useMemo } from "react";
import { useIsAdmin } from "@/api/session";
import { TabbedPage } from "@/components/TabbedPage";
import { count } from "@/lib/format";
import { Catalogue } from "./Catalogue";
import { CompareView } from "./CompareView";
import { split } from "./compare";
import { Disputes } from "./Disputes";
import { ModelForm } from "./ModelForm";
import { useDisputes, useModel, useUnpriced } from "./queries";
import { Unpriced } from "./Unpriced";

const route = getRouteApi("/framed/models");
const PARTS = [
  { value: "catalogue", label: "Catalogue", Part: Catalogue },
  { value: "unpriced", label: "Unpriced", Part: Unpriced, Mark: UnpricedMark },
  { value: "disputes", label: "Disputes", Part: Disputes, Mark: DisputesMark },
] as const;

export default function ModelsPage(): ReactElement {
  const search = route.useSearch();
  const navigate = useNavigate({ from: "/models" });
  const isAdmin = useIsAdmin();
  const edited = useModel(search.edit === "true" ? search.model : undefined).data;
  const compared = useMemo(() => split(search.compare), [search.compare]);
  const closeForm = (): void =>
    void navigate({ search: (before) => ({ ...before, edit: undefined, create: undefined }) });
  return (
    <>
      <TabbedPage
        parts={PARTS}
        tab={search.tab}
        onChange={(tab) => void navigate({ search: (before) => ({ ...before, tab }) })}
      />
      <ModelForm
        model={edited}
        opened={isAdmin && (search.create === "true" || edited !== undefined)}
        onClose={closeForm}
        onDone={(name) =>
          void navigate({
            search: (before) => ({ ...before, edit: undefined, create: undefined, model: name }),
          })
        }
      />
      <CompareView
        names={compared}
        onClose={() => void navigate({ search: (before) => ({ ...before, compare: undefined }) })}
      />
    </>
  );
}

function UnpricedMark(): ReactElement | null {
  const { data, hasNextPage } = useUnpriced();
  const number = data?.pages.flatMap((page) => page.unpriced).length ?? 0;
  return <Waiting number={number} hasMore={hasNextPage} />;
}

function DisputesMark(): ReactElement | null {
  const { data, hasNextPage } = useDisputes();
  const number = data?.pages.flatMap((page) => page.disputes).length ?? 0;
  return <Waiting number={number} hasMore={hasNextPage} />;
}

function Waiting(props: { number: number; hasMore: boolean }): ReactElement | null {
  if (props.number === 0) return null;
  return (
    <Badge size="sm" color="orange">
      {count(props.number)}
      {props.hasMore && "+"}
    </Badge>
  );
}
