// What went wrong, as the server says it (RFC 9457) or as near to that as can be told.

export interface FieldError {
  pointer: string;
  detail: string;
}

export class Problem extends Error {
  constructor(
    /** HTTP status; 0 when no answer came. */
    readonly status: number,
    readonly title: string,
    readonly detail: string,
    readonly errors: readonly FieldError[] = [],
    readonly retryAfterSeconds: number | null = null,
    readonly instance: string | null = null,
  ) {
    super(detail || title);
    this.name = "Problem";
  }

  /** Field name to what is wrong with it, the first complaint of each field. */
  byField(): Map<string, string> {
    const fields = new Map<string, string>();
    for (const { pointer, detail } of this.errors) {
      const field = fieldOf(pointer);
      if (!fields.has(field)) fields.set(field, detail);
    }
    return fields;
  }
}

/** The last name of a JSON pointer: `/email`, `#/email` and `/body/email` are all `email`. */
export function fieldOf(pointer: string): string {
  const last = pointer.replace(/^#/, "").split("/").pop() ?? "";
  return last.replaceAll("~1", "/").replaceAll("~0", "~");
}

/** Reads an answer that is not a success, whatever its body is. */
export function problemFrom(status: number, body: string, retryAfter: string | null = null): Problem {
  const said = objectIn(body);
  const title = text(said["title"]) ?? titleFor(status);
  const detail = text(said["detail"]) ?? (said["title"] ? title : adviceFor(status));
  const errors = Array.isArray(said["errors"]) ? said["errors"].flatMap(fieldError) : [];
  return new Problem(status, title, detail, errors, secondsIn(retryAfter), text(said["instance"]) ?? null);
}

/** No answer at all: the network, or a server that is away. */
export function unreachable(): Problem {
  return new Problem(0, "No connection", "The server did not answer. Check your connection and try again.");
}

/** Anything thrown, as a problem that can be shown. */
export function asProblem(thrown: unknown): Problem {
  if (thrown instanceof Problem) return thrown;
  if (thrown instanceof TypeError) return unreachable();
  const detail = thrown instanceof Error ? thrown.message : String(thrown);
  return new Problem(0, "Something went wrong", detail);
}

/** True for what a person ended on purpose by leaving or cancelling. */
export function isAbort(thrown: unknown): boolean {
  return thrown instanceof DOMException && thrown.name === "AbortError";
}

function objectIn(body: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function fieldError(value: unknown): FieldError[] {
  if (typeof value !== "object" || value === null) return [];
  const { pointer, detail } = value as Record<string, unknown>;
  return typeof pointer === "string" && typeof detail === "string" ? [{ pointer, detail }] : [];
}

function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

function secondsIn(retryAfter: string | null): number | null {
  if (retryAfter === null || retryAfter.trim() === "") return null;
  const seconds = Number(retryAfter);
  if (Number.isFinite(seconds)) return Math.max(0, seconds);
  const date = Date.parse(retryAfter);
  return Number.isNaN(date) ? null : Math.max(0, Math.ceil((date - Date.now()) / 1000));
}

function titleFor(status: number): string {
  if (status === 401) return "Please sign in";
  if (status === 403) return "Not allowed";
  if (status === 404) return "Not found";
  if (status === 412) return "Changed meanwhile";
  if (status === 413) return "Too large";
  if (status === 429) return "Too many requests";
  return status >= 500 ? "The server is in trouble" : "That did not work";
}

function adviceFor(status: number): string {
  if (status === 401) return "Sign in and try again.";
  if (status === 404) return "It does not exist, or it is not yours to see.";
  if (status === 429) return "Wait a little before trying again.";
  if (status >= 500) return "Try again in a moment.";
  return "Try again; if it goes on, reload the page.";
}
