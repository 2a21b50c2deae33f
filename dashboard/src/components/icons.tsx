/** The few signs that the pages use, drawn with one stroke. Beside each stands a word or a label. */
import type { ReactElement } from "react";

const PATHS = {
  menu: "M4 7h16M4 12h16M4 17h16",
  search: "M11 4a7 7 0 1 0 0 14a7 7 0 0 0 0-14M20 20l-4-4",
  sun: "M12 8a4 4 0 1 0 0 8a4 4 0 0 0 0-8M12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.4 1.4M17.6 17.6L19 19M5 19l1.4-1.4M17.6 6.4L19 5",
  moon: "M20 14A8 8 0 1 1 10 4a6.5 6.5 0 0 0 10 10",
  close: "M6 6l12 12M18 6L6 18",
  check: "M5 12.5l4.5 4.5L19 7",
  copy: "M9 9h10v11H9zM15 9V4H5v11h4",
  play: "M8 5l11 7l-11 7z",
  pause: "M9 5v14M15 5v14",
  download: "M12 4v11M7 11l5 5l5-5M5 20h14",
  up: "M12 19V6M6 12l6-6l6 6",
  down: "M12 5v13M6 12l6 6l6-6",
  left: "M15 6l-6 6l6 6",
  right: "M9 6l6 6l-6 6",
  expand: "M6 9l6 6l6-6",
  plus: "M12 5v14M5 12h14",
  trash: "M5 7h14M9 7V4h6v3M7 7l1 13h8l1-13",
  edit: "M5 19l1-4L16 5l3 3L9 18z",
  star: "M12 4l2.4 5l5.6.7l-4.1 3.8l1.1 5.5L12 16.3L7 19l1.1-5.5L4 9.7L9.600 9z",
  alert: "M12 4L2.500 20h19zM12 10v4M12 17h.01",
  user: "M12 4a4 4 0 1 0 0 8a4 4 0 0 0 0-8M4 21c1-8 15-8 16 0",
} as const;
type IconName = keyof typeof PATHS;

export function Icon({ name, size = 16 }: { name: IconName; size?: number }): ReactElement {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeWidth={2}
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
      focusable="false"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}
