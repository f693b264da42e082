// What browsers call themselves.
import assert from "node:assert/strict";
import { test } from "node:test";
import { deviceOf } from "../src/text/devices.ts";

test("a device is told by its browser and its system", () => {
  assert.equal(deviceOf("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"), "Firefox on Linux");
  assert.equal(deviceOf("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36 Edg/140.0"), "Edge on Windows");
  assert.equal(deviceOf("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile Safari/604.1"), "Safari on iOS");
  assert.equal(deviceOf("curl/8.5.0"), "curl");
  assert.equal(deviceOf(null), "An unknown device");
});
