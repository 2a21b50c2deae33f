/** Who are you? By the one-time link, name and password, or the company's sign-in. */
import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { searchOf, text } from "@/lib/search";
import { root } from "./root";

export const signIn = createRoute({
  getParentRoute: () => root,
  path: "/sign-in",
  validateSearch: searchOf({ next: text, error: text }),
  component: lazyRouteComponent(() => import("@/features/sign-in/SignInPage")),
});
