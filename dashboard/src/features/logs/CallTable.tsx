/** How are calls listed so that a hundred thousand are as quick as ten? Only what is seen is drawn. */
import { Loader, Skeleton } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, memo, type ReactElement, useEffect, useRef, useState } from "react";
import { CallRow } from "./CallRow";
import classes from "./Logs.module.css";
import type { Call } from "./query";

interface CallTableProps {
  rows: readonly Call[];
  isLoading: boolean;
  /** These rows are of the filter before. */
  isOld: boolean;
  isFetchingMore: boolean;
  hasMore: boolean;
  onMore: () => void;
  onOpen: (callId: string) => void;
  /** Somebody has scrolled down, or points at a row. */
  onReading: (isReading: boolean) => void;
}

const HEADS = [
  ["Time", "cell"],
  ["Provider", "cell"],
  ["Model", "cell"],
  ["Customer", "cell"],
  ["Tokens", "number"],
  ["Cost (USD)", "number"],
  ["Status", "cell"],
  ["Latency", "number"],
  ["Attempts", "number"],
] as const;
const HEAD_PX = 36;
const LOADING_ROWS = 12;
/** So many rows before the end the next page is asked for. */
const AHEAD_ROWS = 40;
const OVERSCAN_ROWS = 4;
const STEPS: Readonly<Record<string, number>> = {
  ArrowDown: 1,
  ArrowUp: -1,
  PageDown: 12,
  PageUp: -12,
  Home: Number.NEGATIVE_INFINITY,
  End: Number.POSITIVE_INFINITY,
};

export const CallTable = memo(function CallTable(props: CallTableProps): ReactElement {
  const { rows, isLoading, hasMore, onMore, onOpen, onReading } = props;
  const scroll = useRef<HTMLDivElement>(null);
  const isSmall = useMediaQuery("(max-width: 47.99em)") ?? false;
  const [current, setCurrent] = useState(0);
  const rowPx = isSmall ? 116 : 52;
  // What the compiler of React cannot keep is not kept: the list tells by itself what is seen.
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroll.current,
    estimateSize: () => rowPx,
    getItemKey: (place) => rows[place]?.call_id ?? place,
    paddingStart: isSmall ? 0 : HEAD_PX,
    scrollPaddingStart: isSmall ? 0 : HEAD_PX,
    overscan: OVERSCAN_ROWS,
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: rows of another height are measured anew
  useEffect(() => virtual.measure(), [rowPx]);
  const seen = virtual.getVirtualItems();
  const last = seen.at(-1)?.index ?? 0;
  useEffect(() => {
    if (hasMore && rows.length > 0 && last >= rows.length - AHEAD_ROWS) onMore();
  }, [hasMore, last, rows.length, onMore]);

  const onKeyDown = (event: KeyboardEvent): void => {
    const step = STEPS[event.key];
    if (step === undefined || rows.length === 0) return;
    event.preventDefault();
    const next = Math.max(0, Math.min(rows.length - 1, current + step));
    setCurrent(next);
    virtual.scrollToIndex(next);
    // The row is drawn after the scrolling.
    requestAnimationFrame(() =>
      scroll.current?.querySelector<HTMLElement>(`[data-place="${next}"]`)?.focus(),
    );
  };
  return (
    <div className={classes.frame}>
      <div
        ref={scroll}
        className={`${classes.scroll} ${props.isOld ? classes.old : ""}`}
        role="grid"
        aria-label="Calls"
        aria-rowcount={hasMore ? -1 : rows.length + 1}
        aria-busy={isLoading || props.isOld}
        tabIndex={rows.length === 0 ? 0 : -1}
        onKeyDown={onKeyDown}
        onScroll={(event) => onReading(event.currentTarget.scrollTop > rowPx)}
      >
        <div
          className={classes.grid}
          role="rowgroup"
          style={{ height: isLoading ? undefined : virtual.getTotalSize(), position: "relative" }}
        >
          <div className={classes.head} role="row" aria-rowindex={1}>
            {HEADS.map(([head, look]) => (
              <div key={head} role="columnheader" className={classes[look]}>
                {head}
              </div>
            ))}
          </div>
          {isLoading
            ? Array.from({ length: LOADING_ROWS }, (_, place) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: they are all alike
                <Skeleton key={place} height={20} mx="md" my={16} w="auto" />
              ))
            : seen.map((item) => {
                const call = rows[item.index];
                return call ? (
                  <CallRow
                    key={item.key}
                    call={call}
                    place={item.index}
                    top={item.start}
                    isCurrent={item.index === current}
                    onOpen={onOpen}
                    onFocus={setCurrent}
                  />
                ) : null;
              })}
        </div>
        {!isLoading && (
          <div className={classes.end}>
            {props.isFetchingMore ? <Loader size="xs" /> : hasMore ? " " : "That is all."}
          </div>
        )}
      </div>
    </div>
  );
});
