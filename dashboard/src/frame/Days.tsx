/** From which day to which? A calendar, loaded when it is asked for. */
import { Button, Stack } from "@mantine/core";
import { DatePicker } from "@mantine/dates";
import "@mantine/dates/styles.layer.css";
import dayjs from "dayjs";
import { type ReactElement, useState } from "react";

export default function Days({
  onChoose,
}: {
  onChoose: (from: string, to: string) => void;
}): ReactElement {
  const [days, setDays] = useState<[string | null, string | null]>([null, null]);
  const [first, last] = days;
  return (
    <Stack align="center">
      <DatePicker
        type="range"
        allowSingleDateInRange
        maxDate={dayjs().format("YYYY-MM-DD")}
        value={days}
        onChange={setDays}
      />
      <Button
        disabled={!first || !last}
        onClick={() =>
          // Days of the reader's zone, the last one included.
          onChoose(dayjs(first).toISOString(), dayjs(last).add(1, "day").toISOString())
        }
      >
        Show
      </Button>
    </Stack>
  );
}
