/** How is decimal text reckoned with, so that no figure passes through a binary number? */

const DECIMAL = /^([+-]?)(\d+)(?:\.(\d+))?$/;

/** The sum of decimal texts, exact: `0.1` and `0.2` are `0.3`. */
export function sum(...amounts: readonly string[]): string {
  const parts = amounts.map((amount) => {
    const found = DECIMAL.exec(amount);
    if (!found) throw new RangeError(`not a decimal number: ${amount}`);
    const [, sign = "", whole = "0", fraction = ""] = found;
    return { sign, whole, fraction };
  });
  const places = Math.max(0, ...parts.map(({ fraction }) => fraction.length));
  const total = parts.reduce((before, { sign, whole, fraction }) => {
    const units = BigInt(whole + fraction.padEnd(places, "0"));
    return before + (sign === "-" ? -units : units);
  }, 0n);
  const digits = String(total < 0n ? -total : total).padStart(places + 1, "0");
  const cut = digits.length - places;
  const fraction = digits.slice(cut).replace(/0+$/, "");
  return `${total < 0n ? "-" : ""}${digits.slice(0, cut)}${fraction ? `.${fraction}` : ""}`;
}

/** A thousand times a decimal text, by moving the point. */
export function thousandfold(amount: string): string {
  const [whole = "0", fraction = ""] = amount.split(".");
  const padded = fraction.padEnd(3, "0");
  const rest = padded.slice(3);
  return `${whole}${padded.slice(0, 3)}${rest ? `.${rest}` : ""}`;
}

/**
 * A count that was typed, as the API takes it: a whole number as a number.
 *
 * What is none, such as `1,000`, goes as it is: the API refuses it and names the field. As a
 * number it would be NaN, which JSON writes as null, and null has a meaning of its own.
 */
export function countOf(typed: string): number | string {
  const text = typed.trim();
  const number = /^-?\d+$/.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(number) ? number : text;
}
