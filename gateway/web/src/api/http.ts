// Asks the gateway, by the types that were generated from its document: adds the token, renews it once when refused, and turns
// everything that fails into a Problem.
import createClient from "openapi-fetch";
import { recall, remember } from "./consistency.ts";
import type { paths } from "./generated/schema.ts";
import { isAbort, problemFrom, unreachable } from "./problem.ts";
import { accessToken, renewed } from "./session.ts";

export interface Answer<T> {
  data: T;
  /** What an edit has to send back. */
  etag: string | null;
}

/** Asks as whoever is signed in. */
export const api = createClient<paths>({ cache: "no-store", fetch: asPerson });

/** Asks as nobody: signing in and registering carry no token. */
export const anybody = createClient<paths>({ cache: "no-store", fetch: (request) => answered(request, null) });

/** What an answer brings; one that is no success has been thrown as a Problem. */
export async function taken<T>(asked: Promise<{ data?: T; response: Response }>): Promise<Answer<T>> {
  const { data, response } = await asked;
  return { data: data as T, etag: response.headers.get("etag") };
}

/** A key by which a repeated request is known; also where `crypto.randomUUID` is missing (plain http on a network). */
export function idempotencyKey(): string {
  const random = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** For what the client has no shape for: a body that is no JSON. */
export async function asPerson(request: Request): Promise<Response> {
  const token = await accessToken();
  return answered(request, token);
}

async function answered(request: Request, token: string | null): Promise<Response> {
  const isQuery = request.method === "GET";
  const seen = isQuery ? recall() : null;
  request.headers.set("accept", "application/json");
  if (!isQuery) request.headers.set("idempotency-key", idempotencyKey());
  if (seen) request.headers.set("consistency-token", seen);
  const again = token ? request.clone() : null;
  let response = await send(request, token);
  if (response.status === 401 && token && again) {
    const next = await renewed(token);
    if (next) response = await send(again, next);
  }
  if (!response.ok) throw problemFrom(response.status, await textOf(response), response.headers.get("retry-after"));
  if (!isQuery) remember(response.headers.get("consistency-token"));
  return response;
}

async function send(request: Request, token: string | null): Promise<Response> {
  if (token) request.headers.set("authorization", `Bearer ${token}`);
  try {
    return await fetch(request);
  } catch (thrown) {
    throw isAbort(thrown) ? thrown : unreachable();
  }
}

async function textOf(response: Response): Promise<string> {
  try {
    return await response.text();
  } catch (thrown) {
    throw isAbort(thrown) ? thrown : unreachable();
  }
}
