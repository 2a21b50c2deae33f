/** Which colours, sizes and defaults do all components share? One accent, neutral surfaces. */
import {
  ActionIcon,
  Badge,
  Button,
  type CSSVariablesResolver,
  createTheme,
  Drawer,
  Modal,
  Notification,
  Table,
  Tooltip,
} from "@mantine/core";

const CLOSE = { "aria-label": "Close" };

export const theme = createTheme({
  primaryColor: "cyan",
  primaryShade: { light: 9, dark: 9 },
  autoContrast: true,
  fontFamily: "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif",
  fontFamilyMonospace: "ui-monospace, 'SF Mono', Menlo, Consolas, monospace",
  headings: { fontWeight: "600" },
  fontSizes: { xs: "0.75rem", sm: "0.8125rem", md: "0.9375rem" },
  spacing: { xs: "8px", sm: "12px", md: "16px", lg: "24px", xl: "32px" },
  defaultRadius: "sm",
  cursorType: "pointer",
  focusRing: "auto",
  respectReducedMotion: true,
  components: {
    ActionIcon: ActionIcon.extend({ defaultProps: { variant: "subtle", color: "gray" } }),
    Badge: Badge.extend({
      defaultProps: { variant: "light", radius: "sm" },
      styles: { label: { textTransform: "none", fontWeight: 500 } },
    }),
    Button: Button.extend({ defaultProps: { size: "sm" } }),
    Drawer: Drawer.extend({ defaultProps: { closeButtonProps: CLOSE } }),
    // A dialog's head is no landmark of the page.
    DrawerHeader: Drawer.Header.extend({ defaultProps: { role: "none" } }),
    ModalHeader: Modal.Header.extend({ defaultProps: { role: "none" } }),
    Modal: Modal.extend({
      defaultProps: { overlayProps: { backgroundOpacity: 0.4 }, closeButtonProps: CLOSE },
    }),
    Notification: Notification.extend({ defaultProps: { closeButtonProps: CLOSE } }),
    Table: Table.extend({ defaultProps: { verticalSpacing: 6 } }),
    Tooltip: Tooltip.extend({
      defaultProps: { openDelay: 200, multiline: true, maw: 360, events: HOVER_AND_FOCUS() },
    }),
  },
});

function HOVER_AND_FOCUS() {
  return { hover: true, focus: true, touch: true };
}

/** The words of pale badges and buttons; as they come they are too pale for AA in small letters. */
const ON_PALE: Readonly<Record<string, string>> = {
  gray: "#495057",
  red: "#a61e1e",
  pink: "#8c1d4b",
  grape: "#702082",
  violet: "#5a33b8",
  indigo: "#2f46b5",
  blue: "#1257a0",
  cyan: "#0b5563",
  teal: "#075e47",
  green: "#1b5e2a",
  lime: "#446205",
  yellow: "#744a00",
  orange: "#8f3a06",
};

/** The accent is the darkest of its shades; the next lighter one is too pale below white. */
const HOVERED = "#095c6b";

/** Mantine's grey for what is less important is too pale for AA on both backgrounds. */
export const variables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    "--mantine-color-dimmed": "#5c636a",
    "--mantine-color-placeholder": "#6b7278",
    "--mantine-color-cyan-filled-hover": HOVERED,
    ...Object.fromEntries(
      Object.entries(ON_PALE).map(([name, color]) => [
        `--mantine-color-${name}-light-color`,
        color,
      ]),
    ),
  },
  dark: {
    "--mantine-color-dimmed": "#a6acb3",
    "--mantine-color-placeholder": "#9aa0a6",
    "--mantine-color-cyan-filled-hover": HOVERED,
  },
});
