// A grid of videos that reads its list page by page and keeps the unfinished ones up to date.
import { say } from "../announce.ts";
import { follow } from "../api/follow.ts";
import { extended, nothingRead, without, type Listing } from "../api/paging.ts";
import { asProblem, isAbort } from "../api/problem.ts";
import type { Page, Video } from "../api/types.ts";
import { get } from "../api/videos.ts";
import { el, fill, type Child } from "../dom.ts";
import { counted } from "../text/format.ts";
import { isOver } from "../text/states.ts";
import { showProgress } from "./badge.ts";
import { card } from "./card.ts";
import { cardSkeletons, errorState } from "./states.ts";

export interface GridOptions {
  read: (cursor: string | null, signal: AbortSignal) => Promise<Page<Video>>;
  empty: () => HTMLElement;
  actions?: (video: Video) => Child[];
  /** How many unfinished videos are followed at most; each costs a question every few seconds. */
  followed: number;
  signal: AbortSignal;
}

export interface Grid {
  element: HTMLElement;
  remove: (id: string) => void;
  refresh: (id: string) => Promise<void>;
}

export function videoGrid(options: GridOptions): Grid {
  const { signal } = options;
  const cards = el("div", { class: "grid", "data-testid": "video-grid" });
  const below = el("div", { class: "grid-end" });
  const element = el("div", { class: "grid-area" }, cards, below);
  const drawn = new Map<string, HTMLElement>();
  const followed = new Map<string, AbortController>();
  let listing: Listing<Video> = nothingRead();

  const more = el("button", { type: "button", class: "button button-quiet", "data-testid": "load-more" }, "Load more");
  more.addEventListener("click", () => void readNext());

  async function readNext(): Promise<void> {
    const first = listing.items.length === 0;
    element.setAttribute("aria-busy", "true");
    if (first) fill(cards, ...cardSkeletons(8));
    more.disabled = true;
    fill(below);
    if (!first) fill(below, more);
    try {
      const before = listing.items.length;
      listing = extended(listing, await options.read(listing.cursor, signal));
      draw();
      if (!first) say(`${counted(listing.items.length - before, "more video")} loaded`);
    } catch (thrown) {
      if (isAbort(thrown)) return;
      if (first) fill(cards);
      fill(below, errorState(asProblem(thrown), () => void readNext()));
    } finally {
      element.removeAttribute("aria-busy");
      more.disabled = false;
    }
  }

  function draw(): void {
    if (drawn.size === 0) fill(cards);
    for (const video of listing.items) if (!drawn.has(video.id)) place(video);
    if (listing.items.length === 0) fill(below, listing.ended ? options.empty() : more);
    else fill(below, listing.ended ? null : more);
  }

  function place(video: Video): void {
    const made = card(video, ...(options.actions?.(video) ?? []));
    const old = drawn.get(video.id);
    if (old) old.replaceWith(made);
    else cards.append(made);
    drawn.set(video.id, made);
    const unfinished = video.status === "processing" || video.status === "uploaded";
    if (unfinished && !followed.has(video.id) && followed.size < options.followed) watch(video);
  }

  function watch(video: Video): void {
    const stop = new AbortController();
    followed.set(video.id, stop);
    let playable = video.playable;
    const changed = ({ status }: Parameters<Parameters<typeof follow>[1]["changed"]>[0]) => {
      const over = isOver(status.job?.state) || status.status === "ready" || status.status === "failed";
      if (over || status.playable !== playable) void refresh(video.id);
      if (over) followed.delete(video.id);
      playable = status.playable;
      showProgress(drawn.get(video.id)?.querySelector('[data-testid="status-badge"]') ?? null, status.job ?? null, playable);
    };
    follow(video.id, { changed, calm: true }, AbortSignal.any([signal, stop.signal]));
  }

  async function refresh(id: string): Promise<void> {
    try {
      const { data } = await get(id, signal);
      listing = { ...listing, items: listing.items.map((row) => (row.id === id ? data : row)) };
      place(data);
    } catch {
      // The card keeps what it showed; the next visit reads it anew.
    }
  }

  function remove(id: string): void {
    followed.get(id)?.abort();
    followed.delete(id);
    drawn.get(id)?.remove();
    drawn.delete(id);
    listing = without(listing, id);
    draw();
  }

  void readNext();
  return { element, remove, refresh };
}
