// What a page shows when there is nothing, not yet anything, or something went wrong: always with what to do next.
import type { Problem } from "../api/problem.ts";
import { el, type Child } from "../dom.ts";
import { icon } from "../icons.ts";
import { loginAddress } from "../router.ts";

export function emptyState(title: string, text: string, ...actions: Child[]): HTMLElement {
  const art = el("img", { src: "/empty-reel.svg", alt: "", width: "120", height: "120" });
  return el("div", { class: "state", "data-testid": "empty-state" }, art, el("h2", {}, title), el("p", {}, text), el("div", { class: "actions" }, ...actions));
}

/** A problem with a way on: again, or signing in. `heading` is the level that fits the page. */
export function errorState(problem: Problem, again: (() => void) | null, heading: "h1" | "h2" = "h2"): HTMLElement {
  const actions: Child[] = [];
  if (problem.status === 401) actions.push(el("a", { class: "button", href: loginAddress() }, "Sign in"));
  else if (again) actions.push(el("button", { type: "button", class: "button", on: { click: again }, "data-testid": "try-again" }, "Try again"));
  if (problem.status === 404) actions.push(el("a", { class: "button button-quiet", href: "/" }, "To the catalogue"));
  const wait = problem.retryAfterSeconds ? ` The server asks to wait ${problem.retryAfterSeconds} seconds.` : "";
  return el(
    "div",
    { class: "state state-bad", role: "alert", "data-testid": "error-state" },
    icon("alert"),
    el(heading, {}, problem.title),
    el("p", {}, problem.detail + wait),
    problem.instance ? el("p", { class: "fine" }, `Request ${problem.instance}`) : null,
    el("div", { class: "actions" }, ...actions),
  );
}

/** Grey shapes where the cards will be. */
export function cardSkeletons(count: number): HTMLElement[] {
  return Array.from({ length: count }, () =>
    el("div", { class: "card skeleton", "aria-hidden": "true" }, el("div", { class: "frame" }), el("div", { class: "skeleton-line" }), el("div", { class: "skeleton-line short" })),
  );
}
