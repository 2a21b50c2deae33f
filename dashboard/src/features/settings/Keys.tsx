/** Which keys are there, whose are they, and when were they used? */
import { Button, Checkbox } from "@mantine/core";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { type ReactElement, useState } from "react";
import { useSession } from "@/api/session";
import { Icon } from "@/components/icons";
import { More } from "@/components/More";
import { SearchField } from "@/components/SearchField";
import { Empty, Lines, StateOf } from "@/components/States";
import { count } from "@/lib/format";
import { useWhole } from "@/lib/pages";
import { KeyForm } from "./KeyForm";
import { KeyTable } from "./KeyTable";
import { useKeys } from "./queries";
import { stateOf } from "./rights";
import classes from "./Settings.module.css";

const route = getRouteApi("/framed/settings");

function noneText(q: string, hidden: number, hasMore: boolean): string {
  if (q) return "No key is called so.";
  if (hidden === 0) return "There is no key yet.";
  return hasMore ? "All keys that are loaded have ended." : "All keys have ended.";
}

export function Keys(): ReactElement {
  const { q = "", revoked } = route.useSearch();
  const navigate = useNavigate({ from: "/settings" });
  const mayAdd = useSession()?.may_mint_keys ?? false;
  const keys = useKeys();
  const [isAdding, setIsAdding] = useState(false);
  // What is searched may stand on any page.
  useWhole(keys, q !== "");
  const all = keys.data?.pages.flatMap((page) => page.keys) ?? [];
  const found = all.filter(
    (key) =>
      (revoked === "true" || stateOf(key) === "valid") &&
      [key.name, key.user, key.project].some((text) =>
        text.toLowerCase().includes(q.toLowerCase()),
      ),
  );
  const hidden = all.filter((key) => stateOf(key) !== "valid").length;
  const add = mayAdd && (
    <Button leftSection={<Icon name="plus" />} onClick={() => setIsAdding(true)}>
      New key
    </Button>
  );
  return (
    <>
      <div className={classes.bar}>
        <SearchField
          className={classes.grow}
          name="Search keys"
          placeholder="Search name, user or project"
          value={q}
          onChange={(text) =>
            void navigate({
              search: (before) => ({ ...before, q: text || undefined }),
              replace: true,
            })
          }
        />
        {hidden > 0 && (
          <Checkbox
            label={`Also ${count(hidden)}${keys.hasNextPage ? "+" : ""} that ended`}
            mb={8}
            checked={revoked === "true"}
            onChange={(event) => {
              const isShown = event.currentTarget.checked;
              void navigate({
                search: (before) => ({ ...before, revoked: isShown ? "true" : undefined }),
                replace: true,
              });
            }}
          />
        )}
        {add}
      </div>
      <StateOf
        query={keys}
        isEmpty={() => found.length === 0}
        empty={
          q && keys.hasNextPage ? (
            <Lines count={2} />
          ) : (
            <Empty says={noneText(q, hidden, keys.hasNextPage)}>{!q && add}</Empty>
          )
        }
      >
        {() => <KeyTable keys={found} label="Keys" />}
      </StateOf>
      <More query={keys} />
      <KeyForm opened={isAdding} onClose={() => setIsAdding(false)} />
    </>
  );
}
