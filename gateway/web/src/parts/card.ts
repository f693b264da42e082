// One video in a grid: a frame of film with its edge print.
import type { Video } from "../api/types.ts";
import { el, type Child } from "../dom.ts";
import { ago, clock, rungLabel, spoken } from "../text/format.ts";
import { badges } from "./badge.ts";

export function card(video: Video, ...actions: Child[]): HTMLElement {
  const picture = video.thumbnail_url
    ? el("img", { class: "frame-picture", src: video.thumbnail_url, alt: "", loading: "lazy", decoding: "async", on: { error: (event) => (event.target as Element).remove() } })
    : null;
  const size = video.height ? rungLabel(video.width, video.height) : "";
  const frame = el(
    "div",
    { class: "frame" },
    el("div", { class: "frame-window" }, picture, el("div", { class: "frame-badges" }, ...badges(video))),
    el(
      "div",
      { class: "edge-print" },
      el("span", { "aria-label": `Length: ${spoken(video.duration_seconds)}`, role: "img" }, clock(video.duration_seconds)),
      el("span", {}, size),
    ),
  );
  const title = el("a", { class: "card-title", href: `/watch/${encodeURIComponent(video.id)}` }, video.title || "Untitled film");
  return el(
    "article",
    { class: "card", "data-testid": "video-card", "data-video-id": video.id },
    frame,
    el("h2", { class: "card-heading" }, title),
    el("p", { class: "card-line" }, `${video.owner_username} · ${ago(video.created_at)}`),
    actions.length > 0 ? el("div", { class: "card-actions" }, ...actions) : null,
  );
}
