/** What stands around each page: navigation, project, time range, search, and what is wrong. */
import { ActionIcon, AppShell, Group, Title } from "@mantine/core";
import { useDisclosure, useLocalStorage, useMediaQuery } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { Outlet, useLocation, useNavigate, useRouter } from "@tanstack/react-router";
import { type ReactElement, useEffect, useRef } from "react";
import { sessionQuery } from "@/api/session";
import { Icon } from "@/components/icons";
import { Failure, Lines } from "@/components/States";
import { PAGES } from "@/navigation";
import { Navigation } from "./Navigation";
import { Palette } from "./Palette";
import { ServerBanner } from "./ServerBanner";
import { SignInDialog } from "./SignInDialog";
import { TopBar } from "./TopBar";

/** The pattern that charts fill with where nobody knows who served. */
function Hatch(): ReactElement {
  return (
    <svg width="0" height="0" aria-hidden="true" style={{ position: "absolute" }}>
      <defs>
        <pattern id="unknown-hatch" width="6" height="6" patternUnits="userSpaceOnUse">
          <path d="M0 6L6 0" stroke="#868e96" strokeWidth="2" />
        </pattern>
      </defs>
    </svg>
  );
}

/** Nobody is signed in: go there, and remember where one wanted to be. */
function ToSignIn(): ReactElement | null {
  const navigate = useNavigate();
  // Where it was when it began: going away changes it.
  const wanted = useRef(useRouter().latestLocation.href);
  useEffect(() => {
    const next = wanted.current === "/" ? undefined : wanted.current;
    void navigate({ to: "/sign-in", search: { next }, replace: true });
  }, [navigate]);
  return null;
}

export function Frame(): ReactElement {
  const session = useQuery(sessionQuery);
  // Not the whole address: each filter of a page would draw what stands around it anew.
  const pathname = useLocation({ select: (location) => location.pathname });
  const [drawer, { toggle, close }] = useDisclosure(false);
  const [collapsed, setCollapsed] = useLocalStorage({
    key: "navigation-collapsed",
    defaultValue: false,
  });
  const isSmall = useMediaQuery("(max-width: 47.99em)");
  const title = PAGES.find((page) => page.to === pathname)?.label ?? "Tollbridge";
  useEffect(() => {
    document.title = title === "Tollbridge" ? title : `${title} · Tollbridge`;
  }, [title]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new page closes the drawer
  useEffect(close, [pathname]);

  if (session.data === undefined) {
    return (
      <main style={{ padding: 24 }}>
        {session.isError ? (
          <Failure error={session.error} retry={() => void session.refetch()} />
        ) : (
          <Lines count={8} />
        )}
      </main>
    );
  }
  if (session.data === null) return <ToSignIn />;
  return (
    <>
      <a className="skip" href="#page">
        Skip to the page
      </a>
      <Hatch />
      <AppShell
        layout="alt"
        header={{ height: 56 }}
        navbar={{
          width: 220,
          breakpoint: "sm",
          collapsed: { mobile: !drawer, desktop: collapsed },
        }}
        padding={{ base: "sm", sm: "lg" }}
        transitionDuration={0}
      >
        <AppShell.Header>
          <Group h="100%" px={{ base: "sm", sm: "md" }} gap="sm" wrap="nowrap">
            <ActionIcon
              size={36}
              onClick={() => (isSmall ? toggle() : setCollapsed(!collapsed))}
              aria-label="Navigation"
              aria-expanded={isSmall ? drawer : !collapsed}
            >
              <Icon name="menu" size={20} />
            </ActionIcon>
            <Title order={1} fz={{ base: "md", xs: "lg" }} lh={1.2} flex={1} miw={0} lineClamp={2}>
              {title}
            </Title>
            <TopBar />
          </Group>
        </AppShell.Header>
        <AppShell.Navbar p="xs">
          {/* What is pushed off the screen is not there for the keyboard either. */}
          {(isSmall ? drawer : !collapsed) && (
            <Navigation session={session.data} onNavigate={close} />
          )}
        </AppShell.Navbar>
        <AppShell.Main id="page" tabIndex={-1}>
          <ServerBanner />
          <Outlet />
        </AppShell.Main>
      </AppShell>
      <Palette />
      <SignInDialog user={session.data.user} />
    </>
  );
}
