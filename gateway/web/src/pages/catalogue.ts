// The catalogue: everything public, newest first.
import { user } from "../api/session.ts";
import { list } from "../api/videos.ts";
import { el } from "../dom.ts";
import { emptyState } from "../parts/states.ts";
import { reels } from "../parts/reels.ts";
import { videoGrid } from "../parts/video_grid.ts";
import type { View, Visit } from "../router.ts";

const FOLLOWED = 4;

export function catalogue({ signal }: Visit): View {
  const grid = videoGrid({
    read: (cursor, until) => list(null, cursor, until),
    empty: () => emptyState("No films yet", "The first one put on will be shown here.", el("a", { class: "button", href: "/upload" }, "Upload a film")),
    followed: FOLLOWED,
    signal,
  });
  const heading = el("h1", { class: user() ? "page-title" : "visually-hidden" }, "Catalogue");
  return { title: "Spool", element: el("div", { class: "page" }, user() ? null : welcome(), heading, grid.element) };
}

function welcome(): HTMLElement {
  const art = reels();
  art.show(0.62, true);
  return el(
    "section",
    { class: "welcome" },
    el(
      "div",
      { class: "welcome-text" },
      el("p", { class: "welcome-title" }, "Put it on. Press play."),
      el("p", {}, "A film can be watched here while it is still being prepared, in every quality as soon as that quality exists."),
      el("div", { class: "actions" }, el("a", { class: "button", href: "/register" }, "Create account"), el("a", { class: "button button-quiet", href: "/login" }, "Sign in")),
    ),
    art.element,
  );
}
