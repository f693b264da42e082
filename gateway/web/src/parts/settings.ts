// The frame of the pages about one's own account: the links between them, and the parts of each.
import { el, type Child } from "../dom.ts";

const PAGES: [path: string, text: string][] = [
  ["/account", "Profile"],
  ["/account/preferences", "Preferences"],
  ["/account/sessions", "Sessions"],
  ["/account/identities", "Sign-in providers"],
  ["/account/keys", "API keys"],
  ["/account/data", "Your data"],
];

export function settings(title: string, ...parts: Child[]): HTMLElement {
  const links = PAGES.map(([path, text]) => el("a", { href: path, "aria-current": location.pathname === path ? "page" : null }, text));
  const nav = el("nav", { class: "settings-nav", "aria-label": "Account" }, ...links);
  return el("div", { class: "page" }, el("h1", { class: "page-title" }, title), el("div", { class: "settings" }, nav, el("div", { class: "settings-body" }, ...parts)));
}

export function part(title: string, ...content: Child[]): HTMLElement {
  return el("section", { class: "settings-part" }, el("h2", {}, title), ...content);
}
