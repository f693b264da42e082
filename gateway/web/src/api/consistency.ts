// Read your own writes: keeps the token of this tab's last command and hands it to the queries that follow.

const KEY = "spool.consistency";
/** A read model that has not caught up by then has a problem that waiting longer does not solve. */
const USEFUL_MS = 60_000;

export function remember(token: string | null): void {
  if (!token) return;
  try {
    sessionStorage.setItem(KEY, JSON.stringify({ token, at: Date.now() }));
  } catch {
    // Without storage the pages still work; a list may be a moment behind.
  }
}

export function recall(): string | null {
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEY) ?? "null") as { token: string; at: number } | null;
    return kept && Date.now() - kept.at < USEFUL_MS ? kept.token : null;
  } catch {
    return null;
  }
}
