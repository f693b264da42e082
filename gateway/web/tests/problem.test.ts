// How answers that are not a success are read.
import assert from "node:assert/strict";
import { test } from "node:test";
import { asProblem, fieldOf, problemFrom } from "../src/api/problem.ts";

test("the field of a complaint is the last name of its pointer", () => {
  for (const pointer of ["/email", "#/email", "/body/email", "email"]) assert.equal(fieldOf(pointer), "email");
  assert.equal(fieldOf("/a~1b~0c"), "a/b~c");
});

test("problem+json keeps its words, its complaints and its request", () => {
  const body = JSON.stringify({
    title: "Invalid values",
    status: 422,
    detail: "Two fields need another look.",
    instance: "request-1",
    errors: [
      { pointer: "/email", detail: "is taken" },
      { pointer: "/email", detail: "second complaint" },
      { pointer: 7, detail: "malformed" },
    ],
  });
  const problem = problemFrom(422, body);
  assert.equal(problem.detail, "Two fields need another look.");
  assert.equal(problem.instance, "request-1");
  assert.deepEqual([...problem.byField()], [["email", "is taken"]]);
});

test("a body that is not JSON still gives a sentence with what to do", () => {
  for (const body of ["", "<html>502</html>", "null", "[1]"]) {
    const problem = problemFrom(502, body);
    assert.equal(problem.title, "The server is in trouble");
    assert.notEqual(problem.detail, "");
    assert.deepEqual(problem.errors, []);
  }
});

test("Retry-After is understood as seconds and as a date", () => {
  assert.equal(problemFrom(429, "", "7").retryAfterSeconds, 7);
  assert.equal(problemFrom(429, "", "nonsense").retryAfterSeconds, null);
  const soon = problemFrom(503, "", new Date(Date.now() + 30_000).toUTCString()).retryAfterSeconds;
  assert.ok(soon !== null && soon > 20 && soon <= 31);
});

test("whatever is thrown becomes a problem", () => {
  assert.equal(asProblem(new TypeError("fetch failed")).title, "No connection");
  assert.equal(asProblem("odd").detail, "odd");
});
