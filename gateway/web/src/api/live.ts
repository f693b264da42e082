// One WebSocket for the whole page, open while someone listens and is signed in; comes back by itself.
import { delayMs } from "./backoff.ts";
import { accessToken, onChange, renewed, user } from "./session.ts";
import type { JobState } from "./types.ts";

export type Message =
  | { type: "videoProcessingProgress"; data: { video_id: string; job_id: string; state: JobState; progress: number; stage_text?: string } }
  | { type: "videoProcessingComplete"; data: { video_id: string; job_id: string } }
  | { type: "videoProcessingError"; data: { video_id: string; job_id: string; error_text: string } };

type Listener = (message: Message) => void;

/** A socket that has not been greeted by then is given up. */
const GREETING_MS = 10_000;

const listeners = new Set<Listener>();
let socket: WebSocket | null = null;
let greeted = false;
let attempt = 0;
let timer: number | undefined;
let opening = false;
let connectedAs: string | null = null;

onChange(() => {
  if ((user()?.id ?? null) !== connectedAs) restart();
});
window.addEventListener("online", () => restart());

/** Hears what happens to one's own videos until the signal is aborted. */
export function listen(listener: Listener, signal: AbortSignal): void {
  listeners.add(listener);
  signal.addEventListener("abort", () => {
    listeners.delete(listener);
    if (listeners.size === 0) close();
  });
  if (!socket && !opening && timer === undefined) void open();
}

/** True while messages can be relied on. */
export function isConnected(): boolean {
  return greeted;
}

function restart(): void {
  close();
  attempt = 0;
  if (listeners.size > 0) void open();
}

async function open(): Promise<void> {
  opening = true;
  try {
    const token = await accessToken();
    connectedAs = user()?.id ?? null;
    if (token && listeners.size > 0 && !socket) connect(token);
  } catch {
    later();
  } finally {
    opening = false;
  }
}

function connect(token: string): void {
  const address = new URL("/ws", location.href);
  address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  const mine = new WebSocket(address);
  socket = mine;
  const impatience = setTimeout(() => mine.close(), GREETING_MS);
  mine.onopen = () => mine.send(JSON.stringify({ type: "auth", data: { token } }));
  mine.onmessage = (event) => {
    const message = messageIn(event.data);
    if (message?.type === "auth-ok") {
      clearTimeout(impatience);
      greeted = true;
      attempt = 0;
    } else if (message?.type === "error" && !greeted) {
      // Most likely a token that ended on the way here.
      void renewed(token).catch(() => null).finally(() => mine.close());
    } else if (message) {
      for (const listener of [...listeners]) listener(message as Message);
    }
  };
  mine.onclose = () => {
    clearTimeout(impatience);
    if (socket !== mine) return;
    socket = null;
    greeted = false;
    later();
  };
}

function later(): void {
  if (listeners.size === 0 || timer !== undefined) return;
  timer = window.setTimeout(() => {
    timer = undefined;
    void open();
  }, delayMs(attempt++));
}

function close(): void {
  clearTimeout(timer);
  timer = undefined;
  greeted = false;
  const mine = socket;
  socket = null;
  mine?.close();
}

function messageIn(data: unknown): { type: string; data: unknown } | null {
  try {
    const value = JSON.parse(String(data)) as { type?: unknown; data?: unknown };
    return typeof value.type === "string" ? { type: value.type, data: value.data } : null;
  } catch {
    return null;
  }
}
