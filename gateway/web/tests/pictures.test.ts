// Pictures of people, and the letters that stand in for them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { initials } from "../src/text/initials.ts";
import { unfit } from "../src/text/pictures.ts";

test("initials are a letter of each name", () => {
  const check = (first_name: string, last_name: string, username: string, expected: string) => assert.equal(initials({ first_name, last_name, username }), expected);
  check("Ada", "Lovelace", "countess", "AL");
  check("ada", "", "countess", "A");
  check(" ", "", "countess", "C");
  check(" ada", "\tlovelace", "x", "AL");
  check("𝒜da", "", "x", "𝒜");
  check("", "", "", "");
});

test("only pictures are taken, and none that are empty or too large", () => {
  for (const type of ["image/jpeg", "image/png", "image/webp", "image/gif"]) assert.equal(unfit({ type, size: 10_000_000 }), null);
  for (const type of ["image/svg+xml", "text/html", ""]) assert.match(unfit({ type, size: 1 }) ?? "", /no JPEG/);
  assert.match(unfit({ type: "image/png", size: 0 }) ?? "", /empty/);
  assert.match(unfit({ type: "image/png", size: 10_000_001 }) ?? "", /10 MB/);
});
