/** Which address shows which page? One line per page. */
import { createRouter } from "@tanstack/react-router";
import { Broken } from "./frame/Broken";
import { parseSearch, stringifySearch } from "./lib/search";
import { alerts } from "./routes/alerts";
import { attribution } from "./routes/attribution";
import { budgets } from "./routes/budgets";
import { credits } from "./routes/credits";
import { framed } from "./routes/framed";
import { insight } from "./routes/insight";
import { logs } from "./routes/logs";
import { models } from "./routes/models";
import { overview } from "./routes/overview";
import { playground } from "./routes/playground";
import { providers } from "./routes/providers";
import { root } from "./routes/root";
import { settings } from "./routes/settings";
import { signIn } from "./routes/sign-in";

export const router = createRouter({
  routeTree: root.addChildren([
    signIn,
    framed.addChildren([
      overview,
      logs,
      providers,
      models,
      playground,
      budgets,
      alerts,
      credits,
      insight,
      attribution,
      settings,
    ]),
  ]),
  parseSearch,
  stringifySearch,
  defaultPreload: "intent",
  defaultErrorComponent: Broken,
  scrollRestoration: true,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
