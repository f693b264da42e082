// The client's types are those of the document.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";

test("the generated types are what the document says now", () => {
  const { status, stdout, stderr } = spawnSync("npm", ["run", "--silent", "check", "--workspace", "generator"], { encoding: "utf8" });
  assert.equal(status, 0, `run npm run client in gateway/web, look at the difference and commit it\n${stdout}${stderr}`);
});
