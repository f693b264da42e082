// Which page belongs to an address, and the way from one to the next without loading the document again.
import { say } from "./announce.ts";
import { el, fill } from "./dom.ts";
import { user } from "./api/session.ts";

export interface Visit {
  id: string;
  query: URLSearchParams;
  /** Aborted when the person leaves the page: everything the page started must end with it. */
  signal: AbortSignal;
}

export interface View {
  title: string;
  element: HTMLElement;
}

export type PageBuilder = (visit: Visit) => View;

interface Route {
  pattern: RegExp;
  load: () => Promise<PageBuilder>;
  signedIn?: boolean;
}

const ROUTES: Route[] = [
  { pattern: /^\/$/, load: async () => (await import("./pages/catalogue.ts")).catalogue },
  { pattern: /^\/watch\/([^/]+)$/, load: async () => (await import("./pages/watch.ts")).watch },
  { pattern: /^\/upload$/, load: async () => (await import("./pages/upload.ts")).upload, signedIn: true },
  { pattern: /^\/my$/, load: async () => (await import("./pages/my.ts")).my, signedIn: true },
  { pattern: /^\/login$/, load: async () => (await import("./pages/login.ts")).login },
  { pattern: /^\/forgot-password$/, load: async () => (await import("./pages/forgot_password.ts")).forgotPassword },
  { pattern: /^\/reset-password$/, load: async () => (await import("./pages/reset_password.ts")).resetPassword },
  { pattern: /^\/confirm-email$/, load: async () => (await import("./pages/confirm_email.ts")).confirmEmail },
  { pattern: /^\/account$/, load: async () => (await import("./pages/profile.ts")).profile, signedIn: true },
  { pattern: /^\/account\/preferences$/, load: async () => (await import("./pages/preferences.ts")).preferences, signedIn: true },
  { pattern: /^\/account\/sessions$/, load: async () => (await import("./pages/sessions.ts")).sessions, signedIn: true },
  { pattern: /^\/account\/identities$/, load: async () => (await import("./pages/identities.ts")).identities, signedIn: true },
  { pattern: /^\/account\/keys$/, load: async () => (await import("./pages/keys.ts")).keys, signedIn: true },
  { pattern: /^\/account\/data$/, load: async () => (await import("./pages/data.ts")).data, signedIn: true },
  { pattern: /^\/goodbye$/, load: async () => (await import("./pages/goodbye.ts")).goodbye },
  { pattern: /^\/admin\/users$/, load: async () => (await import("./pages/people.ts")).people, signedIn: true },
  { pattern: /^\/admin\/users\/([^/]+)$/, load: async () => (await import("./pages/person.ts")).person, signedIn: true },
  { pattern: /^\/register$/, load: async () => (await import("./pages/register.ts")).register },
];

let leaving = new AbortController();
let outlet: HTMLElement;
const arrivals = new Set<(path: string) => void>();

export function startRouter(main: HTMLElement): void {
  outlet = main;
  document.addEventListener("click", followLink);
  window.addEventListener("popstate", () => void show(true));
  void show(false);
}

/** Goes to an address of this site; `replace` leaves no trace in the history. */
export function go(address: string, options: { replace?: boolean } = {}): void {
  history[options.replace ? "replaceState" : "pushState"](null, "", address);
  void show(true);
}

/** Shows the present address anew. */
export function reload(): void {
  void show(true);
}

export function onArrival(listener: (path: string) => void): void {
  arrivals.add(listener);
}

/** The address to go to after signing in; never another site's, whatever the query says. */
export function nextAddress(query: URLSearchParams): string {
  return sameSite(query.get("next"));
}

/** The address if it is one of this site, or the start page. */
export function sameSite(given: string | null): string {
  const next = given ?? "/";
  const address = new URL(next, location.origin);
  return next.startsWith("/") && address.origin === location.origin ? address.pathname + address.search : "/";
}

export function loginAddress(): string {
  const here = location.pathname + location.search;
  return here === "/" ? "/login" : `/login?next=${encodeURIComponent(here)}`;
}

async function show(moved: boolean): Promise<void> {
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  const route = ROUTES.find(({ pattern }) => pattern.test(location.pathname));
  if (route?.signedIn && !user()) return go(loginAddress(), { replace: true });
  let view: View;
  try {
    const build = route ? await route.load() : (await import("./pages/missing.ts")).missing;
    if (signal.aborted) return;
    const id = route?.pattern.exec(location.pathname)?.[1] ?? "";
    view = build({ id: decoded(id), query: new URLSearchParams(location.search), signal });
  } catch (thrown) {
    console.error("a page could not be shown", thrown);
    view = broken();
  }
  fill(outlet, view.element);
  entitle(view.title);
  for (const listener of arrivals) listener(location.pathname);
  if (moved) arrive(view);
}

/** Pages that learn their title later call this. */
export function entitle(title: string): void {
  document.title = title === "Spool" ? title : `${title} – Spool`;
}

/** What a browser does on a real navigation: to the top, focus at the start, title read out. */
function arrive(view: View): void {
  window.scrollTo(0, 0);
  const heading = outlet.querySelector<HTMLElement>("h1");
  if (heading && !outlet.contains(document.activeElement)) {
    heading.tabIndex = -1;
    heading.focus({ preventScroll: true });
  }
  say(view.title);
}

function followLink(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = event.target instanceof Element ? event.target.closest("a") : null;
  if (!link || link.target || link.origin !== location.origin || link.hasAttribute("download")) return;
  if (link.pathname.startsWith("/api/") || link.hash) return;
  event.preventDefault();
  go(link.pathname + link.search);
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function broken(): View {
  const again = el("button", { type: "button", class: "button", on: { click: () => location.reload() } }, "Reload the page");
  const element = el("section", { class: "state" }, el("h1", {}, "This page could not be loaded"), el("p", {}, "The connection may be down, or Spool was just updated."), again);
  return { title: "Not loaded", element };
}
