// Which renditions may be played while they are still being made.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Rendition } from "../src/api/types.ts";
import { nameIn, publishedEnd, sameNames, usable } from "../src/player/rungs.ts";

function rung(name: string, publishedSeconds: number, complete = false): Rendition {
  return { name, width: 640, height: 360, bandwidth: 1, published_seconds: publishedSeconds, complete };
}

function check(renditions: Rendition[], position: number, inUse: string[], expected: string[]): void {
  assert.deepEqual([...usable(renditions, position, new Set(inUse))].sort(), expected);
}

test("a rung that has just begun is left out until it reaches well past the position", () => {
  check([rung("source", 180, true), rung("360p", 8)], 0, [], ["source"]);
  check([rung("source", 180, true), rung("360p", 24)], 0, [], ["360p", "source"]);
});

test("a rung in use is kept longer than a new one is taken on, so that the choice does not flutter", () => {
  const renditions = [rung("source", 180, true), rung("360p", 40)];
  check(renditions, 30, [], ["source"]);
  check(renditions, 30, ["360p"], ["360p", "source"]);
  check(renditions, 35, ["360p"], ["source"]);
});

test("the rung that reaches farthest is always there, however little there is", () => {
  check([rung("360p", 4), rung("720p", 0)], 0, [], ["360p"]);
  check([rung("360p", 4)], 60, [], ["360p"]);
});

test("a complete rung counts to the very end", () => {
  check([rung("360p", 180, true), rung("720p", 178)], 176, [], ["360p"]);
});

test("nothing published means nothing to offer", () => {
  check([], 0, [], []);
  check([rung("360p", 0)], 0, [], []);
  assert.equal(publishedEnd([]), 0);
});

test("a rung is told by its playlist's address, with or without a signature", () => {
  assert.equal(nameIn("http://h/api/storage/videos/1/hls/480p/index.m3u8?sig=a/b"), "480p");
  assert.equal(nameIn("index.m3u8"), "");
});

test("two sets of names are the same whatever their order", () => {
  assert.equal(sameNames(new Set(["a", "b"]), new Set(["b", "a"])), true);
  assert.equal(sameNames(new Set(["a"]), new Set(["a", "b"])), false);
});
