/** What is compared, for whom, and by what is it decided? */
import { Modal, SegmentedControl, Select, SimpleGrid, Text, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { type ReactElement, useState } from "react";
import { api, read } from "@/api/client";
import { ApiError } from "@/api/errors";
import { FormOf } from "@/components/FormOf";
import { Empty, StateOf } from "@/components/States";
import { told } from "@/components/toasts";
import { countOf } from "@/lib/decimal";
import { ArmFields } from "./ArmFields";
import { type ArmDraft, armsOf, armsSent } from "./arms";
import { EXPERIMENTS, type Experiment, isInUse, type Route, useRoutes } from "./experiments";

const page = getRouteApi("/framed/insight");
const OBJECTIVES = [
  { value: "cost", label: "cost" },
  { value: "latency", label: "latency" },
  { value: "success", label: "success" },
] as const;
const CANDIDATES_MIN = 2;

interface ExperimentFormProps {
  /** A route has one experiment at a time. */
  running: readonly Experiment[];
  onClose: () => void;
}

const keyOf = (one: { model: string; category: string }): string => `${one.category} ${one.model}`;

export function ExperimentForm({ running, onClose }: ExperimentFormProps): ReactElement {
  const query = useRoutes();
  const busy = new Set(running.filter((one) => one.running).map(keyOf));
  const fits = (one: Route): boolean =>
    isInUse(one) && one.candidates.length >= CANDIDATES_MIN && !busy.has(keyOf(one));
  return (
    <Modal opened onClose={onClose} size="lg" title="New experiment" closeOnClickOutside={false}>
      <StateOf
        query={query}
        isEmpty={({ routes }) => !routes.some(fits)}
        empty={
          <Empty says="No route has two candidates and no experiment.">
            <Text size="sm" c="dimmed">
              <code>tollbridge routes set</code> makes one: a name that applications ask for, and
              who may serve it.
            </Text>
          </Empty>
        }
      >
        {({ routes }) => <Fields routes={routes.filter(fits)} onClose={onClose} />}
      </StateOf>
    </Modal>
  );
}

function Fields({ routes, onClose }: { routes: Route[]; onClose: () => void }): ReactElement {
  const queries = useQueryClient();
  const navigate = page.useNavigate();
  const [name, setName] = useState("");
  const [chosen, setChosen] = useState<Route | undefined>(routes[0]);
  const [arms, setArms] = useState<ArmDraft[]>(() => armsOf(routes[0]));
  const [subject, setSubject] = useState<"user" | "key">("user");
  const [objective, setObjective] = useState<string>("cost");
  const [most, setMost] = useState("");
  const [least, setLeast] = useState("50");
  const start = useMutation({
    mutationFn: () =>
      read(
        api.POST("/api/v1/experiments", {
          body: {
            name: name.trim(),
            model: chosen?.model ?? "",
            category: chosen?.category as never,
            subject,
            objective: objective as never,
            arms: armsSent(arms) as never,
            failed_share_max: most.trim() === "" ? null : shareOf(most),
            calls_min: countOf(least) as number,
          },
        }),
      ),
    onSuccess: async (made) => {
      await queries.invalidateQueries({ queryKey: EXPERIMENTS });
      told(`${made.name} runs on all workers within a second.`);
      onClose();
      void navigate({ to: ".", search: (before) => ({ ...before, experiment: made.name }) });
    },
  });
  const wrong = start.error instanceof ApiError ? start.error.param : undefined;
  return (
    <FormOf
      error={start.error}
      errorTitle="It did not start"
      isPending={start.isPending}
      isReady={name.trim() !== "" && arms.filter((arm) => arm.isIn).length >= CANDIDATES_MIN}
      action="Start the experiment"
      onSubmit={() => start.mutateAsync()}
      onClose={onClose}
    >
      <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm">
        <TextInput
          label="Name"
          required
          data-autofocus
          maxLength={64}
          description="No comma, blank or ="
          error={wrong === "name"}
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
        />
        <Select
          label="Route"
          description="What applications ask for"
          data={routes.map((one) => ({
            value: keyOf(one),
            label: `${one.model} (${one.category})`,
          }))}
          value={chosen ? keyOf(chosen) : null}
          allowDeselect={false}
          searchable
          onChange={(key) => {
            const route = routes.find((one) => keyOf(one) === key);
            setChosen(route);
            setArms(armsOf(route));
          }}
        />
      </SimpleGrid>
      <ArmFields arms={arms} onChange={setArms} />
      <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm">
        <Choice
          id="sticky"
          label="Always the same for a"
          data={[
            { value: "user", label: "user" },
            { value: "key", label: "key" },
          ]}
          value={subject}
          onChange={(value) => setSubject(value as "user" | "key")}
        />
        <Choice
          id="objective"
          label="Decided by"
          data={[...OBJECTIVES]}
          value={objective}
          onChange={setObjective}
        />
        <TextInput
          label="Stop where more fail than, in %"
          description="Of an arm's calls, surely; empty: never"
          inputMode="decimal"
          error={wrong === "failed_share_max"}
          value={most}
          onChange={(event) => setMost(event.currentTarget.value)}
        />
        <TextInput
          label="Calls before an arm is judged"
          description="With fewer nothing is decided"
          inputMode="numeric"
          error={wrong === "calls_min"}
          value={least}
          onChange={(event) => setLeast(event.currentTarget.value)}
        />
      </SimpleGrid>
    </FormOf>
  );
}

/** What is no number goes as it is: the API refuses it and names the field. */
function shareOf(percents: string): number {
  const share = Number(percents.trim()) / 100;
  return Number.isFinite(share) ? share : (percents as never);
}

interface ChoiceProps {
  id: string;
  label: string;
  data: { value: string; label: string }[];
  value: string;
  onChange: (value: string) => void;
}

function Choice({ id, label, data, value, onChange }: ChoiceProps): ReactElement {
  return (
    <div>
      <Text size="sm" fw={500} mb={4} id={id}>
        {label}
      </Text>
      <SegmentedControl aria-labelledby={id} data={data} value={value} onChange={onChange} />
    </div>
  );
}
