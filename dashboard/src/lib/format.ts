/** How is a number, an amount or an instant written? Everything on the screen is written here. */

const THIN = " ";
export const NARROW = " ";
export const UNKNOWN = "—";

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const dollars = new Intl.NumberFormat("en-US", {
  style: "currency",
  currency: "USD",
  minimumFractionDigits: 2,
  maximumFractionDigits: 2,
});
const fourDigits = new Intl.NumberFormat("en-US", {
  style: "currency",
  currency: "USD",
  minimumSignificantDigits: 4,
  maximumSignificantDigits: 4,
});

/** `$1,234.56`; under a dollar four significant digits; zero only for zero; null is unknown. */
export function money(usd: string | number | null | undefined): string {
  if (usd === null || usd === undefined || usd === "") return UNKNOWN;
  const amount = Number(usd);
  if (!Number.isFinite(amount)) return UNKNOWN;
  if (amount === 0) return "$0.00";
  const text = Math.abs(amount) < 0.99995 ? fourDigits.format(amount) : dollars.format(amount);
  return text.replace("-", "−");
}

/** A rate such as 0.0000025 or 2.5, as short as it can be written exactly. */
export function rate(usd: string | null | undefined): string {
  if (usd === null || usd === undefined) return UNKNOWN;
  const [units = "0", fraction = ""] = usd.split(".");
  return `$${whole.format(Number(units))}.${fraction.replace(/0+$/, "").padEnd(2, "0")}`;
}

const decimals = new Intl.NumberFormat("en-US", { maximumFractionDigits: 6 });

/** An amount of credits with the decimals that it has: `1,250`, `−0.25`. */
export function credits(amount: string | null | undefined): string {
  if (amount === null || amount === undefined || amount === "") return UNKNOWN;
  return decimals.format(Number(amount)).replace("-", "−");
}

/** A count in full: `12,480`. */
export function count(value: number | null | undefined): string {
  return value === null || value === undefined ? UNKNOWN : whole.format(value);
}

/** A count with what it counts: `1 call`, `12,480 calls`. */
export function counted(value: number, one: string): string {
  return `${count(value)} ${one}${value === 1 ? "" : "s"}`;
}

/** How many a rate is for: `1M`, `1,000`; of a single one it is not said. */
export function perMany(per: number): string {
  if (per === 1) return "";
  return per % 1_000_000 === 0 ? `${count(per / 1_000_000)}M` : count(per);
}

const STEPS: readonly [number, string][] = [
  [1e12, "T"],
  [1e9, "B"],
  [1e6, "M"],
  [1e3, "k"],
];

/** A large count in short: `12.4 k`. */
export function short(value: number | null | undefined): string {
  if (value === null || value === undefined) return UNKNOWN;
  for (const [step, letter] of STEPS) {
    // What would be rounded to 1,000 of a step is one of the next.
    if (Math.abs(value) >= step * 0.99995 && Math.abs(value) >= 1000) {
      const scaled = value / step;
      return `${scaled.toFixed(Math.abs(scaled) < 99.95 ? 1 : 0)}${NARROW}${letter}`;
    }
  }
  return whole.format(value);
}

/** `412 ms`, `38.2 s`, `12 min 5 s`, `3 h 20 min`. */
export function duration(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return UNKNOWN;
  if (ms < 999.5) return `${Math.round(ms)}${NARROW}ms`;
  const seconds = ms / 1000;
  if (seconds < 99.95) return `${seconds.toFixed(seconds < 9.95 ? 2 : 1)}${NARROW}s`;
  const minutes = Math.floor(Math.round(seconds) / 60);
  if (minutes < 60) return `${minutes}${NARROW}min ${Math.round(seconds) % 60}${NARROW}s`;
  return `${Math.floor(minutes / 60)}${NARROW}h ${minutes % 60}${NARROW}min`;
}

/**
 * A share from 0 to 1 as `99.1 %`; it is 100 or 0 only where it is so exactly. In a column all have
 * a decimal, or the points do not stand below each other.
 */
export function percent(share: number | null | undefined, isInColumn = false): string {
  if (share === null || share === undefined || !Number.isFinite(share)) return UNKNOWN;
  const hundredths = share * 100;
  if (share < 1 && hundredths >= 99.95) return `99.9${NARROW}%`;
  if (share > 0 && hundredths < 0.05) return `<${THIN}0.1${NARROW}%`;
  const isWhole = hundredths === Math.round(hundredths);
  const digits = (isWhole && !isInColumn) || Math.abs(hundredths) >= 1000 ? 0 : 1;
  return `${hundredths.toFixed(digits)}${NARROW}%`;
}

/** Whole numbers of per cent, in a sentence: `80 % and 100 %`. */
export function wholePercents(percents: readonly number[]): string {
  const list = new Intl.ListFormat("en-GB", { type: "conjunction" });
  return list.format(percents.map((one) => `${count(one)}${NARROW}%`));
}

/** A difference of two shares, without its sign: `3.1 points`. */
export function points(share: number): string {
  return `${Math.abs(share * 100).toFixed(1)}${NARROW}points`;
}

const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const shortDay = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const longDay = new Intl.DateTimeFormat("en-GB", {
  day: "numeric",
  month: "short",
  year: "numeric",
});

const utcDay = new Intl.DateTimeFormat("en-GB", {
  day: "numeric",
  month: "short",
  timeZone: "UTC",
});
const utcMonth = new Intl.DateTimeFormat("en-GB", {
  month: "short",
  year: "2-digit",
  timeZone: "UTC",
});
const utcMonthName = new Intl.DateTimeFormat("en-GB", {
  month: "long",
  year: "numeric",
  timeZone: "UTC",
});
const hours = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });

/** A day or month of the books, which are kept in UTC: `21 Nov`, `Nov 26`. */
export function bookDay(iso: string): string {
  return utcDay.format(new Date(iso));
}
export function bookMonth(iso: string): string {
  return utcMonth.format(new Date(iso));
}

/** The same in a sentence: `November 2026`. */
export function bookMonthName(iso: string): string {
  return utcMonthName.format(new Date(iso));
}

/** An hour in the reader's zone, `14:00`; the first of a day bears the day. */
export function hour(iso: string): string {
  const at = new Date(iso);
  return at.getHours() === 0 ? day(iso) : hours.format(at);
}

/** An instant in the reader's zone: `14:03:22` today, `21 Nov 14:03:22` before. */
export function instant(iso: string | null | undefined, now: Date = new Date()): string {
  if (!iso) return UNKNOWN;
  const at = new Date(iso);
  const time = clock.format(at);
  return at.toDateString() === now.toDateString() ? time : `${day(iso, now)} ${time}`;
}

/** A day in the reader's zone: `21 Nov`, with the year if it is another one. */
export function day(iso: string | null | undefined, now: Date = new Date()): string {
  if (!iso) return UNKNOWN;
  const at = new Date(iso);
  return (at.getFullYear() === now.getFullYear() ? shortDay : longDay).format(at);
}

/** The exact instant in UTC, for hovering. */
export function utc(iso: string | null | undefined): string {
  return iso ? new Date(iso).toISOString().replace("T", " ").replace("Z", " UTC") : "";
}

/** How long ago: `just now`, `4 min ago`, `3 days ago`; ahead of now: `in 4 min`. */
export function ago(iso: string | number | Date, now: Date = new Date()): string {
  const seconds = Math.round((now.getTime() - new Date(iso).getTime()) / 1000);
  const distance = Math.abs(seconds);
  if (distance < 10) return "just now";
  const text =
    distance < 60
      ? `${distance} s`
      : distance < 3600
        ? `${Math.round(distance / 60)} min`
        : distance < 86_400
          ? `${Math.round(distance / 3600)} h`
          : `${Math.round(distance / 86_400)} days`;
  return seconds < 0 ? `in ${text}` : `${text} ago`;
}

/** `image_generation` as `image generation`. */
export function words(identifier: string | null | undefined): string {
  return identifier ? identifier.replaceAll("_", " ") : UNKNOWN;
}
