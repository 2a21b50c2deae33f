/** What stands around every page, the sign-in too? */
import { createRootRoute, Outlet } from "@tanstack/react-router";
import { NotFound } from "@/frame/NotFound";

export const root = createRootRoute({ component: Outlet, notFoundComponent: NotFound });
