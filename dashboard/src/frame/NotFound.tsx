/** What is shown at an address that no page has? */
import { Anchor, Title } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import type { ReactElement } from "react";
import { Empty } from "@/components/States";

export function NotFound(): ReactElement {
  return (
    <main>
      <Empty
        says={
          <Title order={1} size="h4">
            There is no page at this address.
          </Title>
        }
      >
        <Anchor renderRoot={(props) => <Link to="/" {...props} />}>To the overview</Anchor>
      </Empty>
    </main>
  );
}
