/** A page has failed: what can be done? After an upgrade its parts may have other names by now. */
import { Button, Group } from "@mantine/core";
import type { ErrorComponentProps } from "@tanstack/react-router";
import type { ReactElement } from "react";
import { Failure } from "@/components/States";

export function Broken({ error, reset }: ErrorComponentProps): ReactElement {
  return (
    <div style={{ padding: 16 }}>
      <Failure error={error} retry={reset} note="Loading the page anew often helps." />
      <Group>
        <Button variant="default" onClick={() => window.location.reload()}>
          Load the page anew
        </Button>
      </Group>
    </div>
  );
}
