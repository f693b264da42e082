// A list read page by page: keeps what was read, never shows a row twice.
import type { Page } from "./types.ts";

export interface Listing<T> {
  readonly items: readonly T[];
  readonly cursor: string | null;
  readonly ended: boolean;
}

export function nothingRead<T>(): Listing<T> {
  return { items: [], cursor: null, ended: false };
}

/** The listing with one more page; rows that came before are brought up to date in place. */
export function extended<T extends { id: string }>(listing: Listing<T>, page: Page<T>): Listing<T> {
  const rows = new Map(listing.items.map((row) => [row.id, row]));
  for (const row of page.items) rows.set(row.id, row);
  // A cursor that leads to itself would make "load more" go round for ever.
  const next = page.next_cursor ?? null;
  const cursor = next === listing.cursor ? null : next;
  return { items: [...rows.values()], cursor, ended: cursor === null };
}

export function without<T extends { id: string }>(listing: Listing<T>, id: string): Listing<T> {
  return { ...listing, items: listing.items.filter((row) => row.id !== id) };
}
