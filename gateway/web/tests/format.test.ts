// How numbers and times are shown.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ago, bytes, clock, rungLabel, spoken, titleFromFileName } from "../src/text/format.ts";

test("a clock shows hours only when there are any", () => {
  assert.equal(clock(0), "0:00");
  assert.equal(clock(63.9), "1:03");
  assert.equal(clock(3723), "1:02:03");
});

test("an unknown length is a dash, not a zero or NaN", () => {
  for (const unknown of [null, undefined, Number.NaN, Number.POSITIVE_INFINITY, -1]) assert.equal(clock(unknown), "–:––");
});

test("a length is spoken in words without empty units", () => {
  assert.equal(spoken(3601), "1 hour 1 second");
  assert.equal(spoken(120), "2 minutes");
  assert.equal(spoken(0.4), "0 seconds");
});

test("bytes change their unit before they get four digits", () => {
  assert.equal(bytes(999), "999 B");
  assert.equal(bytes(1500), "1.5 kB");
  assert.equal(bytes(999_960), "1 MB");
  assert.equal(bytes(123_456_789), "123 MB");
  assert.equal(bytes(5_000_000_000), "5 GB");
});

test("the past is told in its coarsest unit", () => {
  const now = Date.parse("2026-03-10T12:00:00Z");
  assert.equal(ago("2026-03-10T11:59:50Z", now), "just now");
  assert.equal(ago("2026-03-10T11:00:00Z", now), "1 hour ago");
  assert.equal(ago("2026-03-09T11:00:00Z", now), "yesterday");
  assert.equal(ago("nonsense", now), "");
});

test("a title is guessed from a file name without its extension and control characters", () => {
  assert.equal(titleFromFileName("my_first.film.mp4"), "my first film");
  assert.equal(titleFromFileName("\u0000\u001b.mp4"), "Untitled film");
  assert.equal(titleFromFileName("x".repeat(500)).length, 200);
});

test("a portrait rung is named by its short side", () => {
  assert.equal(rungLabel(360, 640), "360p");
  assert.equal(rungLabel(1920, 1080), "1080p");
  assert.equal(rungLabel(null, 0), "Unknown");
});
