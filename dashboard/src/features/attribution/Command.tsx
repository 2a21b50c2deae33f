/** How is a command handed over for a terminal? With a button that copies it. */
import { Button, Code, CopyButton, Group } from "@mantine/core";
import type { ReactElement } from "react";
import { Icon } from "@/components/icons";

export function Command({ children }: { children: string }): ReactElement {
  return (
    <Group gap="xs" wrap="nowrap" align="center">
      <Code block flex={1} miw={0} style={{ overflowX: "auto" }} tabIndex={0}>
        {children}
      </Code>
      <CopyButton value={children}>
        {({ copied, copy }) => (
          <Button
            variant="default"
            size="compact-sm"
            leftSection={<Icon name={copied ? "check" : "copy"} size={14} />}
            onClick={copy}
          >
            {copied ? "Copied" : "Copy"}
          </Button>
        )}
      </CopyButton>
    </Group>
  );
}
