// Lists read page by page, and waiting between attempts.
import assert from "node:assert/strict";
import { test } from "node:test";
import { delayMs } from "../src/api/backoff.ts";
import { extended, nothingRead, without } from "../src/api/paging.ts";

const row = (id: string, title = id) => ({ id, title });

test("a row that comes twice is shown once, in its first place and with its latest content", () => {
  let listing = extended(nothingRead<{ id: string; title: string }>(), { items: [row("a"), row("b")], next_cursor: "1" });
  listing = extended(listing, { items: [row("b", "new"), row("c")], next_cursor: null });
  assert.deepEqual(listing.items, [row("a"), row("b", "new"), row("c")]);
  assert.equal(listing.ended, true);
});

test("a cursor that leads to itself ends the list", () => {
  let listing = extended(nothingRead<{ id: string }>(), { items: [{ id: "a" }], next_cursor: "1" });
  assert.equal(listing.ended, false);
  listing = extended(listing, { items: [{ id: "a" }], next_cursor: "1" });
  assert.equal(listing.ended, true);
});

test("a removed row is gone and the cursor stays", () => {
  const listing = extended(nothingRead<{ id: string }>(), { items: [{ id: "a" }, { id: "b" }], next_cursor: "1" });
  assert.deepEqual(without(listing, "a"), { items: [{ id: "b" }], cursor: "1", ended: false });
});

test("waiting doubles, is scattered, and never exceeds half a minute", () => {
  assert.equal(delayMs(0, () => 1), 500);
  assert.equal(delayMs(0, () => 0), 250);
  assert.equal(delayMs(3, () => 1), 4000);
  assert.equal(delayMs(500, () => 1), 30_000);
});
