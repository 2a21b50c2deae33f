/** The ways an experiment ends: somebody ends it, or puts an arm first on its route. */
import { Button, Stack, Text, TextInput, Tooltip } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { type ReactElement, useState } from "react";
import { api, read } from "@/api/client";
import { useIsAdmin } from "@/api/session";
import { Confirm } from "@/components/Confirm";
import { failedAs, told } from "@/components/toasts";
import { EXPERIMENTS, type Experiment, ROUTES, type Route, useRoutes } from "./experiments";

const REASON_LENGTH_MAX = 500;

export function EndExperiment({ experiment }: { experiment: Experiment }): ReactElement {
  const [asks, setAsks] = useState(false);
  const [reason, setReason] = useState("");
  const queries = useQueryClient();
  const { name } = experiment;
  const end = async (): Promise<void> => {
    const body = { reason: reason.trim() };
    await read(api.POST("/api/v1/experiments/{name}/stop", { params: { path: { name } }, body }));
    await queries.invalidateQueries({ queryKey: EXPERIMENTS });
    told(`${name} has ended: all calls go as the route says.`);
  };
  return (
    <>
      <Button size="compact-sm" variant="default" onClick={() => setAsks(true)}>
        End it
      </Button>
      <Confirm
        opened={asks}
        title="End the experiment"
        action="End it"
        name={name}
        danger
        onConfirm={end}
        onClose={() => setAsks(false)}
      >
        <Stack gap="sm">
          <Text size="sm">
            All calls go as the route says from then on. What it has found stays; it cannot go on.
          </Text>
          <Why reason={reason} onChange={setReason} />
        </Stack>
      </Confirm>
    </>
  );
}

interface ApplyArmProps {
  arm: string;
  experiment: Experiment;
  isBest: boolean;
}

export function ApplyArm({ arm, experiment, isBest }: ApplyArmProps): ReactElement | null {
  const isAdmin = useIsAdmin();
  const routes = useRoutes();
  const [asks, setAsks] = useState(false);
  const [reason, setReason] = useState("");
  const queries = useQueryClient();
  const { name, model, category, running, applied_arm } = experiment;
  const before = routes.data?.routes.find(
    (one) => one.model === model && one.category === category,
  );
  if (!isAdmin || !before || applied_arm !== null) return null;
  const again = (): Promise<unknown> =>
    Promise.all([EXPERIMENTS, ROUTES].map((queryKey) => queries.invalidateQueries({ queryKey })));
  const apply = async (): Promise<void> => {
    await read(
      api.POST("/api/v1/experiments/{name}/apply", {
        params: { path: { name } },
        body: { arm, reason: reason.trim() },
      }),
    );
    await again();
    told(`${arm} is asked first for ${model} from now on.`, () =>
      putBack(before).then(again).catch(failedAs("The route was not put back")),
    );
  };
  const why =
    before.source === "file"
      ? `${model} is set in the configuration file: change it there.`
      : `Its candidate is asked first for ${model}.`;
  const isOpen = before.source !== "file";
  return (
    <>
      <Tooltip label={why}>
        <Button
          mt={6}
          size="compact-sm"
          variant={isBest && isOpen ? "filled" : "default"}
          aria-label={`Apply ${arm}`}
          data-disabled={!isOpen || undefined}
          aria-disabled={!isOpen}
          onClick={() => isOpen && setAsks(true)}
        >
          Apply
        </Button>
      </Tooltip>
      <Confirm
        opened={asks}
        title={`Put ${arm} first`}
        action={running ? "Apply and end it" : "Apply"}
        name={running ? name : undefined}
        onConfirm={apply}
        onClose={() => setAsks(false)}
      >
        <Stack gap="sm">
          <Text size="sm" style={{ overflowWrap: "anywhere" }}>
            All calls of {model} ask {arm} first, the others behind it in their order.{" "}
            {running && "With that the experiment ends, and cannot go on. "}
            The route can be put back as it is now.
          </Text>
          {!isBest && <Text size="sm">It is not surely the best.</Text>}
          <Why reason={reason} onChange={setReason} />
        </Stack>
      </Confirm>
    </>
  );
}

/** A route as it was before. */
function putBack(route: Route): Promise<unknown> {
  const { model, category, order, candidates, keep_content, hedge_after_ms } = route;
  return read(
    api.POST("/api/v1/routes", {
      // What the server said is what it takes.
      body: {
        ...{ model, candidates, keep_content, hedge_after_ms },
        category: category as never,
        order: order as never,
        bucket: route.bucket as never,
        on_content_filtered: route.on_content_filtered as never,
      },
    }),
  );
}

function Why(props: { reason: string; onChange: (reason: string) => void }): ReactElement {
  return (
    <TextInput
      label="Why"
      description="For whoever reads it later"
      maxLength={REASON_LENGTH_MAX}
      value={props.reason}
      onChange={(event) => props.onChange(event.currentTarget.value)}
    />
  );
}
