/** Does a difference say its direction, and that it is an estimate? */
import { MantineProvider } from "@mantine/core";
import { renderToStaticMarkup } from "react-dom/server";
import { expect, it } from "vitest";
import { Saving } from "./Saving";

function shown(usd: string | null, notes: string[] = [], estimated?: boolean): string {
  const markup = renderToStaticMarkup(
    <MantineProvider>
      <Saving usd={usd} notes={notes} estimated={estimated} />
    </MantineProvider>,
  );
  return markup.replace(/<style.*?<\/style>/gs, "").replace(/<[^>]+>/g, "");
}

it("says which way it goes, also for a higher cost", () => {
  expect(shown("2.5")).toBe("$2.50 less");
  expect(shown("-2.5")).toBe("$2.50 more");
  expect(shown("0")).toBe("the same");
});
it("bears the mark of an estimate before the figure", () => {
  expect(shown("2.5", ["priced by list"])).toBe("≈ $2.50 less");
  expect(shown("2.5", [], true)).toBe("≈ $2.50 less");
});
it("is unknown, not zero, where it is not known", () => expect(shown(null)).toBe("—"));
