// A download is kept whole or not at all.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Problem } from "../src/api/problem.ts";
import { poured, type Keeper, type Stream } from "../src/api/saving.ts";

const PIECES = ["one", "and", "another"].map((text) => new Uint8Array(new TextEncoder().encode(text)));

/** Gives the pieces, and then ends, or fails with what is given. */
function stream(failure?: unknown): Stream {
  const left = [...PIECES];
  return new ReadableStream({
    pull(controller) {
      const piece = left.shift();
      if (piece) controller.enqueue(piece);
      else if (failure) controller.error(failure);
      else controller.close();
    },
  });
}

function remembering(write?: () => Promise<void>) {
  const said: string[] = [];
  const kept: Keeper = {
    write: async (piece) => {
      await write?.();
      said.push(new TextDecoder().decode(piece));
    },
    done: async () => void said.push("done"),
    drop: async () => void said.push("dropped"),
  };
  return { said, kept };
}

test("what comes is kept in its order, and counted", async () => {
  const { said, kept } = remembering();
  const counts: number[] = [];
  assert.equal(await poured(async () => stream(), kept, (count) => counts.push(count)), 13);
  assert.deepEqual(said, ["one", "and", "another", "done"]);
  assert.deepEqual(counts, [3, 6, 13]);
});

test("a connection that is lost on the way leaves no file, and is told as what it is", async () => {
  const { said, kept } = remembering();
  const lost = poured(async () => stream(new TypeError("network error")), kept, () => {});
  await assert.rejects(lost, (thrown) => thrown instanceof Problem && thrown.title === "The download broke off");
  assert.deepEqual(said, ["one", "and", "another", "dropped"]);
});

test("stopping it stays stopping it, and leaves no file either", async () => {
  const { said, kept } = remembering();
  const stopped = new DOMException("stopped", "AbortError");
  await assert.rejects(poured(async () => stream(stopped), kept, () => {}), stopped);
  assert.equal(said.at(-1), "dropped");
});

test("a refusal leaves no file", async () => {
  const { said, kept } = remembering();
  const refusal = new Problem(503, "Unavailable", "many archives are made at the moment");
  await assert.rejects(poured(() => Promise.reject(refusal), kept, () => {}), refusal);
  assert.deepEqual(said, ["dropped"]);
});

test("a full disk is told as the browser tells it", async () => {
  const full = new DOMException("no space", "QuotaExceededError");
  const { said, kept } = remembering(() => Promise.reject(full));
  await assert.rejects(poured(async () => stream(), kept, () => {}), full);
  assert.deepEqual(said, ["dropped"]);
});
