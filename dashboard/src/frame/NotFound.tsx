/** What is shown at an address that no page has? */
import { Anchor } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import type { ReactElement } from "react";
import { Empty } from "@/components/States";

export function NotFound(): ReactElement {
  return (
    <Empty says="There is no page at this address.">
      <Anchor renderRoot={(props) => <Link to="/" {...props} />}>To the overview</Anchor>
    </Empty>
  );
}
