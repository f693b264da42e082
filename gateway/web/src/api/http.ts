// Asks the gateway: adds the token, renews it once when refused, and turns everything that fails into a Problem.
import { recall, remember } from "./consistency.ts";
import { isAbort, problemFrom, unreachable } from "./problem.ts";
import { accessToken, renewed } from "./session.ts";

export interface Answer<T> {
  data: T;
  etag: string | null;
}

export interface Asking {
  body?: unknown;
  ifMatch?: string | null;
  signal?: AbortSignal | undefined;
  /** Sign-in and registration carry no token. */
  anonymous?: boolean;
}

type Method = "GET" | "POST" | "PUT" | "DELETE";

export async function ask<T>(method: Method, path: string, asking: Asking = {}): Promise<Answer<T>> {
  const headers = headersFor(method, asking);
  const token = asking.anonymous ? null : await accessToken();
  let response = await send(method, path, headers, token, asking);
  if (response.status === 401 && token) {
    const next = await renewed(token);
    if (next) response = await send(method, path, headers, next, asking);
  }
  const text = await textOf(response);
  if (!response.ok) throw problemFrom(response.status, text, response.headers.get("retry-after"));
  if (method !== "GET") remember(response.headers.get("consistency-token"));
  return { data: (text ? JSON.parse(text) : undefined) as T, etag: response.headers.get("etag") };
}

/** A key by which a repeated request is known; also where `crypto.randomUUID` is missing (plain http on a network). */
export function idempotencyKey(): string {
  const random = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function headersFor(method: Method, asking: Asking): Headers {
  const headers = new Headers({ accept: "application/json" });
  if (asking.body !== undefined) headers.set("content-type", "application/json");
  if (asking.ifMatch) headers.set("if-match", asking.ifMatch);
  if (method === "POST") headers.set("idempotency-key", idempotencyKey());
  const seen = method === "GET" ? recall() : null;
  if (seen) headers.set("consistency-token", seen);
  return headers;
}

async function send(method: Method, path: string, headers: Headers, token: string | null, asking: Asking): Promise<Response> {
  const all = new Headers(headers);
  if (token) all.set("authorization", `Bearer ${token}`);
  try {
    return await fetch(path, {
      method,
      headers: all,
      cache: "no-store",
      ...(asking.body === undefined ? {} : { body: JSON.stringify(asking.body) }),
      ...(asking.signal ? { signal: asking.signal } : {}),
    });
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
