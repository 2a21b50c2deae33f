/** Which time do all pages show? */
import { Button, Menu, Modal, Skeleton, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useNavigate } from "@tanstack/react-router";
import { lazy, type ReactElement, Suspense } from "react";
import { Icon } from "@/components/icons";
import { SPANS, type Span, useRange } from "@/lib/range";

// Only who asks for days of their own loads the calendar.
const Days = lazy(() => import("./Days"));

export function RangeSelect(): ReactElement {
  const range = useRange();
  const navigate = useNavigate();
  const [asks, { open, close }] = useDisclosure(false);
  const show = (chosen: { range?: Span; from?: string; to?: string }): void => {
    const cleared = { range: undefined, from: undefined, to: undefined };
    void navigate({ to: ".", search: (before) => ({ ...before, ...cleared, ...chosen }) });
  };
  return (
    <>
      <Menu position="bottom-end">
        <Menu.Target>
          <Button
            variant="default"
            aria-label={`Time: ${range.label}`}
            rightSection={<Icon name="expand" size={14} />}
            px="sm"
          >
            <Text span inherit visibleFrom="sm">
              {range.label}
            </Text>
            <Text span inherit hiddenFrom="sm">
              {range.brief}
            </Text>
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          {(Object.keys(SPANS) as Span[]).map((span) => (
            <Menu.Item key={span} onClick={() => show({ range: span })}>
              {SPANS[span].label}
            </Menu.Item>
          ))}
          <Menu.Divider />
          <Menu.Item onClick={open}>from … to …</Menu.Item>
        </Menu.Dropdown>
      </Menu>
      <Modal opened={asks} onClose={close} title="Show these days" size="auto" centered>
        <Suspense fallback={<Skeleton height={300} width={260} />}>
          <Days
            onChoose={(from, to) => {
              show({ from, to });
              close();
            }}
          />
        </Suspense>
      </Modal>
    </>
  );
}
