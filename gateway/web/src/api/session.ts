// Who is signed in. Shared by all tabs through localStorage; one tab at a time exchanges the refresh token.
import { problemFrom, unreachable } from "./problem.ts";
import type { paths } from "./generated/schema.ts";
import type { Renewal, SignedIn, User } from "./types.ts";

const KEY = "spool.session";
const RENEW: keyof paths = "/api/auth/refresh-token";
const LOCK = "spool.session.refresh";
/** A token this close to its end is exchanged before it is used. */
const MARGIN_MS = 20_000;

interface Session {
  user: User;
  access_token: string;
  refresh_token: string;
  /** Milliseconds since 1970 by this machine's clock. */
  expires_at: number;
}

const watchers = new Set<() => void>();

window.addEventListener("storage", (event) => {
  if (event.key === KEY || event.key === null) tell();
});

export function user(): User | null {
  return read()?.user ?? null;
}

export function refreshToken(): string | null {
  return read()?.refresh_token ?? null;
}

export function keep(answer: SignedIn): void {
  const session: Session = {
    user: answer.user,
    access_token: answer.access_token,
    refresh_token: answer.refresh_token,
    expires_at: Date.now() + answer.expires_in * 1000,
  };
  localStorage.setItem(KEY, JSON.stringify(session));
  tell();
}

/** Somebody is called otherwise now. */
export function changed(user: User): void {
  const session = read();
  if (!session) return;
  localStorage.setItem(KEY, JSON.stringify({ ...session, user } satisfies Session));
  tell();
}

export function forget(): void {
  localStorage.removeItem(KEY);
  tell();
}

/** Calls back when someone signs in or out, in this tab or another, until the signal is aborted. */
export function onChange(watcher: () => void, signal?: AbortSignal): void {
  watchers.add(watcher);
  signal?.addEventListener("abort", () => watchers.delete(watcher));
}

/** An access token good for at least `marginMs` more, or null when nobody is signed in. */
export async function accessToken(marginMs = MARGIN_MS): Promise<string | null> {
  const session = read();
  if (!session) return null;
  return session.expires_at - Date.now() > marginMs ? session.access_token : renewed(session.access_token);
}

/** A token other than `stale`, which the server has refused; null when the session is over. */
export async function renewed(stale: string): Promise<string | null> {
  return exclusively(async () => {
    const session = read();
    if (!session) return null;
    // Another tab was faster: what it brought is good.
    if (session.access_token !== stale) return session.access_token;
    return exchange(session);
  });
}

async function exchange(session: Session): Promise<string | null> {
  let answer: Response;
  try {
    answer = await fetch(RENEW, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ refresh_token: session.refresh_token } satisfies Renewal),
    });
  } catch {
    throw unreachable();
  }
  if (answer.ok) {
    const next = (await answer.json()) as SignedIn;
    keep(next);
    return next.access_token;
  }
  const refused = answer.status === 400 || answer.status === 401 || answer.status === 403;
  if (!refused) throw problemFrom(answer.status, await answer.text(), answer.headers.get("retry-after"));
  // Only what was refused is thrown away: someone may have signed in again meanwhile.
  if (read()?.refresh_token === session.refresh_token) forget();
  return null;
}

/** Web Locks exist only in secure contexts; without them the server's grace for a repeated refresh has to do. */
async function exclusively<T>(work: () => Promise<T>): Promise<T> {
  if (!navigator.locks) return work();
  return (await navigator.locks.request(LOCK, work)) as T;
}

function read(): Session | null {
  try {
    const session = JSON.parse(localStorage.getItem(KEY) ?? "null") as Session | null;
    return session?.access_token && session.user ? session : null;
  } catch {
    return null;
  }
}

function tell(): void {
  for (const watcher of [...watchers]) watcher();
}
