/** Which pages are there, in which order, and who sees them? */

export interface Page {
  to: string;
  label: string;
  /** Shown to admins alone; the server refuses the others anyway. */
  adminOnly?: boolean;
  /** Words that the command palette finds it by, beside its label. */
  also: string;
}

export const PAGES = [
  { to: "/", label: "Overview", also: "spend home forecast" },
  { to: "/logs", label: "Usage logs", also: "calls requests history live tail" },
  { to: "/providers", label: "Providers", also: "endpoints breaker priority fallback latency" },
  { to: "/models", label: "Models", also: "prices catalogue default unpriced disputes" },
  { to: "/playground", label: "Playground", also: "try send test" },
  { to: "/budgets", label: "Budgets & plans", also: "limits leases subscriptions" },
  { to: "/alerts", label: "Alerts", also: "inbox unread thresholds webhooks notifications" },
  { to: "/credits", label: "Credits", also: "wallets grants transactions balance" },
  { to: "/insight", label: "Insight", also: "savings counterfactual forecast experiments" },
  { to: "/attribution", label: "Attribution", also: "rules backfill unknown tester" },
  {
    to: "/settings",
    label: "Settings",
    also: "keys users roles endpoints audit account password sessions",
  },
] as const satisfies readonly Page[];
