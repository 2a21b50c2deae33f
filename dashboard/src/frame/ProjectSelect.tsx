/** To which project are all pages narrowed? */
import { Select } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import type { ReactElement } from "react";
import { api, read } from "@/api/client";
import { useSession } from "@/api/session";
import { useProject } from "@/lib/range";

/** Those that have calls, of what one may see; a manager's own stand first in the session. */
function useProjects(): string[] {
  const own = useSession()?.projects ?? [];
  const { data } = useQuery({
    queryKey: ["insight", "projects"],
    queryFn: ({ signal }) =>
      read(
        api.GET("/api/v1/insight/breakdown", {
          params: { query: { group_by: ["project"], top: 200 } },
          signal,
        }),
      ),
    staleTime: 5 * 60_000,
  });
  const used = (data?.groups ?? []).flatMap(({ group }) => (group.project ? [group.project] : []));
  return [...new Set([...own, ...used])].sort();
}

export function ProjectSelect(): ReactElement | null {
  const projects = useProjects();
  const project = useProject();
  const navigate = useNavigate();
  const known = project && !projects.includes(project) ? [project, ...projects] : projects;
  if (known.length < 2 && !project) return null;
  return (
    <Select
      aria-label="Project"
      placeholder="All projects"
      data={known}
      value={project ?? null}
      onChange={(value) =>
        void navigate({ to: ".", search: (before) => ({ ...before, project: value ?? undefined }) })
      }
      clearable
      searchable
      w={160}
      visibleFrom="sm"
    />
  );
}
