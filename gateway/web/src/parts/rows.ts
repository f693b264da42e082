// A list of rows that is read page by page: sessions, keys, people.
import { say } from "../announce.ts";
import { extended, nothingRead, without, type Listing } from "../api/paging.ts";
import { asProblem, isAbort } from "../api/problem.ts";
import type { Page } from "../api/types.ts";
import { el, fill } from "../dom.ts";
import { counted } from "../text/format.ts";
import { errorState } from "./states.ts";

export interface RowsOptions<T> {
  /** What the list is, for screen readers. */
  label: string;
  testid: string;
  /** One of them, as in "3 more sessions". */
  noun: string;
  read: (cursor: string | null, signal: AbortSignal) => Promise<Page<T>>;
  row: (item: T) => HTMLElement;
  empty: () => HTMLElement;
  signal: AbortSignal;
}

export interface Rows<T> {
  element: HTMLElement;
  /** Reads the list from its beginning; what is shown stays until the answer has come. */
  reread: () => Promise<void>;
  replace: (item: T) => void;
  remove: (id: string) => void;
}

export function rows<T extends { id: string }>(options: RowsOptions<T>): Rows<T> {
  const list = el("ul", { class: "rows", "aria-label": options.label, "data-testid": options.testid });
  const below = el("div", { class: "grid-end" });
  const element = el("div", { class: "grid-area" }, list, below);
  const more = el("button", { type: "button", class: "button button-quiet", "data-testid": "load-more" }, "Load more");
  more.addEventListener("click", () => void readNext());
  let listing: Listing<T> = nothingRead();
  let asked = 0;

  async function readNext(from: Listing<T> = listing): Promise<void> {
    const mine = ++asked;
    element.setAttribute("aria-busy", "true");
    more.disabled = true;
    try {
      const next = extended(from, await options.read(from.cursor, options.signal));
      // A later question has overtaken this one, as when somebody types on.
      if (mine !== asked) return;
      const before = from.items.length;
      listing = next;
      draw();
      if (before > 0) say(`${counted(listing.items.length - before, `more ${options.noun}`)} loaded`);
    } catch (thrown) {
      if (isAbort(thrown) || mine !== asked) return;
      if (from.items.length === 0) fill(list);
      fill(below, errorState(asProblem(thrown), () => void readNext(from)));
    } finally {
      if (mine === asked) {
        element.removeAttribute("aria-busy");
        more.disabled = false;
      }
    }
  }

  function draw(): void {
    fill(list, ...listing.items.map((item) => el("li", { class: "row", "data-id": item.id }, options.row(item))));
    list.hidden = listing.items.length === 0;
    if (listing.items.length === 0) fill(below, options.empty());
    else fill(below, listing.ended ? null : more);
  }

  void readNext();
  return {
    element,
    reread: () => readNext(nothingRead()),
    replace: (item) => {
      listing = { ...listing, items: listing.items.map((row) => (row.id === item.id ? item : row)) };
      draw();
    },
    remove: (id) => {
      listing = without(listing, id);
      draw();
    },
  };
}
