/** How do an amount, a count, a time and a provider stand on the screen? */
import { Box, Text, Tooltip } from "@mantine/core";
import { useHotkeys, useTimeout } from "@mantine/hooks";
import { type ReactElement, type ReactNode, type RefObject, useId, useRef, useState } from "react";
import { count, duration, instant, money, short, UNKNOWN, utc } from "@/lib/format";
import { isUnknown, providerColor, providerName } from "@/lib/providers";
import classes from "./Figures.module.css";

const OPEN_AFTER_MS = 200;

interface HintProps {
  label: ReactNode;
  children: ReactNode;
  className?: string;
}

/** A figure with more of it on hover and focus. */
export function Hint({ label, children, className }: HintProps): ReactElement {
  const place = useRef<HTMLSpanElement>(null);
  const id = useId();
  const [isOpen, setIsOpen] = useState(false);
  const later = useTimeout(() => setIsOpen(true), OPEN_AFTER_MS);
  if (!label) return <span className={className}>{children}</span>;
  const close = (): void => {
    later.clear();
    setIsOpen(false);
  };
  return (
    <>
      {/* biome-ignore lint/a11y/noStaticElementInteractions: it is only told more of */}
      <span
        ref={place}
        className={`${classes.hint} ${className ?? ""}`}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: its explanation is for keyboards too
        tabIndex={0}
        aria-describedby={isOpen ? id : undefined}
        onPointerEnter={later.start}
        onPointerLeave={close}
        onFocus={(event) => event.currentTarget.matches(":focus-visible") && setIsOpen(true)}
        onBlur={close}
      >
        {children}
      </span>
      {/* Made when it is wanted: a list has hundreds, and each costs as much as its row. */}
      {isOpen && <Explanation id={id} label={label} target={place} onClose={close} />}
    </>
  );
}

interface ExplanationProps {
  id: string;
  label: ReactNode;
  target: RefObject<HTMLSpanElement | null>;
  onClose: () => void;
}

function Explanation({ id, label, target, onClose }: ExplanationProps): ReactElement {
  useHotkeys([["Escape", onClose, { preventDefault: false }]], []);
  return (
    <Tooltip label={<span id={id}>{label}</span>} target={target} opened>
      <span />
    </Tooltip>
  );
}

interface MoneyProps {
  usd: string | null | undefined;
  /** Why it is not known. */
  reason?: string | null | undefined;
  estimated?: boolean | undefined;
}

/** An amount: `≈` before what is estimated, `—` with the reason where it is not known. */
export function Money({ usd, reason, estimated }: MoneyProps): ReactElement {
  if (usd === null || usd === undefined) {
    const why = reason ? reason.replaceAll("_", " ") : "no price is known";
    return (
      <Hint label={`Not known: ${why}`} className={classes.figure}>
        {UNKNOWN}
      </Hint>
    );
  }
  const exact = `$${usd} exactly${estimated ? ", from estimated usage" : ""}`;
  return (
    <Hint label={exact} className={classes.figure}>
      {estimated ? "≈ " : ""}
      {money(usd)}
    </Hint>
  );
}

interface TokensProps {
  value: number | null | undefined;
  estimated?: boolean | undefined;
}

/** A count in short, whole on hover. */
export function Tokens({ value, estimated }: TokensProps): ReactElement {
  const label =
    value === null || value === undefined
      ? "Not known"
      : value >= 1000 || estimated
        ? `${count(value)}${estimated ? ", estimated" : ""}`
        : null;
  return (
    <Hint label={label} className={classes.figure}>
      {estimated && value !== null && value !== undefined ? "≈ " : ""}
      {short(value)}
    </Hint>
  );
}

/** A length of time; unknown is a dash. */
export function Latency({ ms }: { ms: number | null | undefined }): ReactElement {
  return <span className={classes.figure}>{duration(ms)}</span>;
}

/** An instant in the reader's zone, with the exact one in UTC on hover. */
export function Instant({ iso }: { iso: string | null | undefined }): ReactElement {
  return (
    <Hint label={utc(iso)} className={classes.figure}>
      <time dateTime={iso ?? undefined}>{instant(iso)}</time>
    </Hint>
  );
}

interface ProviderProps {
  provider: string | null | undefined;
  /** The name that the server shows for it; it may know one by today's rules. */
  display?: string | null | undefined;
  bucket?: string | null | undefined;
  upstream?: string | null | undefined;
}

/** Who really served it, in bold; the bucket in small letters below where it is another name. */
export function Provider({ provider, display, bucket, upstream }: ProviderProps): ReactElement {
  const name = display && !isUnknown(display.toLowerCase()) ? display : providerName(provider);
  const isByRulesNow = isUnknown(provider) && name !== providerName(provider);
  const below = [
    bucket && bucket !== provider ? bucket : null,
    upstream ? `via ${upstream}` : null,
    isByRulesNow ? "by today's rules" : null,
  ]
    .filter(Boolean)
    .join(" · ");
  return (
    <div className={classes.provider}>
      <ProviderDot provider={provider} />
      <div className={classes.names}>
        <div className={classes.strong} title={name}>
          {name}
        </div>
        {below && (
          <div className={classes.minor} title={below}>
            {below}
          </div>
        )}
      </div>
    </div>
  );
}

/** A provider's colour; hatched where nobody knows who it was. */
export function ProviderDot({ provider }: { provider: string | null | undefined }): ReactElement {
  const unknown = isUnknown(provider);
  return (
    <span
      aria-hidden="true"
      className={unknown ? classes.hatched : classes.dot}
      style={unknown ? undefined : { backgroundColor: providerColor(provider) }}
    />
  );
}

interface StatProps {
  label: string;
  children: ReactNode;
  /** A line below: what it is compared with. */
  note?: ReactNode;
}

/** One figure of a page, with what it is and what it is compared with. */
export function Stat({ label, children, note }: StatProps): ReactElement {
  return (
    <Box className={classes.stat}>
      <Text size="xs" c="dimmed">
        {label}
      </Text>
      <Text className={classes.statValue} component="div">
        {children}
      </Text>
      <Text size="xs" c="dimmed" component="div" mih={18}>
        {note}
      </Text>
    </Box>
  );
}
