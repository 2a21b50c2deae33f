/** How much was it, and how much more than before? A difference says whether it is good. */
import { Box, SimpleGrid, Text } from "@mantine/core";
import type { ReactElement } from "react";
import { Hint, Money, Stat, Tokens } from "@/components/Figures";
import { count, day, NARROW, percent, points } from "@/lib/format";
import { useRange } from "@/lib/range";
import type { OverviewView } from "./series";

export function Spend({ overview }: { overview: OverviewView }): ReactElement {
  const { total, previous, change } = overview;
  const unsure = [
    total.unpriced > 0 ? `${count(total.unpriced)} unpriced` : null,
    total.estimated > 0 ? `${count(total.estimated)} ≈` : null,
  ].filter(Boolean);
  return (
    <SimpleGrid cols={{ base: 2, md: 4 }} spacing="md">
      <Box className="panel">
        <Stat
          label={unsure.length > 0 ? `Spend (${unsure.join(", ")})` : "Spend"}
          note={
            <Difference
              share={change.cost}
              isMoreGood={false}
              before={<Money usd={previous.cost_usd} estimated={previous.estimated > 0} />}
              overview={overview}
            />
          }
        >
          <Money
            usd={total.cost_usd}
            reason="no call of this time has a price"
            estimated={total.estimated > 0}
          />
        </Stat>
      </Box>
      <Box className="panel">
        <Stat
          label="Calls"
          note={
            <Difference share={change.calls} before={count(previous.calls)} overview={overview} />
          }
        >
          {count(total.calls)}
        </Stat>
      </Box>
      <Box className="panel">
        <Stat
          label="Tokens"
          note={
            <Difference
              share={change.tokens}
              before={<Tokens value={previous.total_tokens} estimated={previous.estimated > 0} />}
              overview={overview}
            />
          }
        >
          <Tokens value={total.total_tokens} estimated={total.estimated > 0} />
        </Stat>
      </Box>
      <Box className="panel">
        <Stat
          label="Success"
          note={
            <Difference
              share={change.success_rate}
              isMoreGood
              isPoints
              before={percent(previous.success_rate)}
              overview={overview}
            />
          }
        >
          {percent(total.success_rate)}
        </Stat>
      </Box>
    </SimpleGrid>
  );
}

/** From so much more on per cent are hard to read: it is said how many times it was. */
const TIMES_FROM = 10;

interface DifferenceProps {
  share: number | null;
  /** What it was before. */
  before: React.ReactNode;
  overview: OverviewView;
  /** Undefined: neither good nor bad. */
  isMoreGood?: boolean;
  /** A difference of shares, in percentage points. */
  isPoints?: boolean;
}

function Difference(props: DifferenceProps): ReactElement {
  const { share, before, overview, isMoreGood, isPoints } = props;
  const { label } = useRange().previous;
  const { from, to } = overview.previous_span;
  const span = `${day(from)} – ${day(to)}: `;
  if (share === null) return <>nothing to compare with in the {label}</>;
  const isSame = Math.abs(share) < 0.0005;
  const isGood = isMoreGood === undefined || isSame ? undefined : share > 0 === isMoreGood;
  const color = isGood === undefined ? undefined : isGood ? "var(--good)" : "var(--bad)";
  const size = isPoints
    ? points(share)
    : share >= TIMES_FROM
      ? `×${NARROW}${count(Math.round(share + 1))}`
      : percent(Math.abs(share)).replace(/\.\d/, (digit) => (Math.abs(share) < 0.1 ? digit : ""));
  return (
    <Hint
      label={
        <>
          {span}
          {before}
        </>
      }
    >
      <Text component="span" size="xs" c={color} fw={500}>
        {isSame ? "no change" : `${share > 0 ? "▲" : "▼"} ${size}`}
        {isGood === undefined ? "" : isGood ? ", better" : ", worse"}
      </Text>{" "}
      vs {label}
    </Hint>
  );
}
