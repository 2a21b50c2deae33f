/** For which project and time is this, and how does one search or change the light? */
import {
  ActionIcon,
  Button,
  Group,
  Kbd,
  Tooltip,
  useComputedColorScheme,
  useMantineColorScheme,
} from "@mantine/core";
import { spotlight } from "@mantine/spotlight";
import type { ReactElement } from "react";
import { Icon } from "@/components/icons";
import { ProjectSelect } from "./ProjectSelect";
import { RangeSelect } from "./RangeSelect";

export function useToggleScheme(): () => void {
  const { setColorScheme } = useMantineColorScheme();
  const scheme = useComputedColorScheme("light");
  return () => setColorScheme(scheme === "dark" ? "light" : "dark");
}

export function TopBar(): ReactElement {
  const scheme = useComputedColorScheme("light");
  const toggle = useToggleScheme();
  const light = scheme === "dark" ? "Light" : "Dark";
  return (
    <Group gap="xs" wrap="nowrap">
      <ProjectSelect />
      <RangeSelect />
      <Button
        variant="default"
        onClick={spotlight.open}
        leftSection={<Icon name="search" />}
        rightSection={<Kbd size="xs">/</Kbd>}
        visibleFrom="md"
        aria-label="Search, and go to"
      >
        Search
      </Button>
      <ActionIcon size={36} hiddenFrom="md" onClick={spotlight.open} aria-label="Search, and go to">
        <Icon name="search" />
      </ActionIcon>
      <Tooltip label={`${light} colours`}>
        <ActionIcon size={36} onClick={toggle} aria-label={`${light} colours`}>
          <Icon name={scheme === "dark" ? "sun" : "moon"} />
        </ActionIcon>
      </Tooltip>
    </Group>
  );
}
