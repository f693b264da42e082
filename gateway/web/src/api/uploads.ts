// Sends a film. XMLHttpRequest, because fetch cannot say how much of a body has left.
import { remember } from "./consistency.ts";
import { idempotencyKey } from "./http.ts";
import { Problem, problemFrom } from "./problem.ts";
import { accessToken, renewed } from "./session.ts";
import type { paths } from "./generated/schema.ts";
import type { Uploaded, UploadForm, Video, Visibility } from "./types.ts";

const UPLOAD: keyof paths = "/api/storage/upload/video";
/** The token is checked when the upload begins; two minutes are plenty for that. */
const TOKEN_MARGIN_MS = 120_000;

export interface Film {
  file: File;
  title: string;
  description: string;
  visibility: Visibility;
}

export type Progress = (sentBytes: number, totalBytes: number) => void;

/** Resolves with the new video; rejects with a Problem, or an AbortError when the signal was aborted. */
export async function upload(film: Film, progress: Progress, signal: AbortSignal): Promise<Video> {
  const key = idempotencyKey();
  const token = await accessToken(TOKEN_MARGIN_MS);
  try {
    return await send(film, key, token, progress, signal);
  } catch (thrown) {
    const refused = thrown instanceof Problem && thrown.status === 401 && token !== null;
    const next = refused ? await renewed(token) : null;
    if (!next) throw thrown;
    return send(film, key, next, progress, signal);
  }
}

function send(film: Film, key: string, token: string | null, progress: Progress, signal: AbortSignal): Promise<Video> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const abort = () => request.abort();
    request.open("POST", UPLOAD);
    request.setRequestHeader("accept", "application/json");
    request.setRequestHeader("idempotency-key", key);
    if (token) request.setRequestHeader("authorization", `Bearer ${token}`);
    request.upload.onprogress = (event) => progress(event.loaded, event.lengthComputable ? event.total : film.file.size);
    request.onload = () => answered(request, resolve, reject);
    request.onerror = () => reject(cutOff());
    request.onabort = () => reject(new DOMException("The upload was cancelled.", "AbortError"));
    request.onloadend = () => signal.removeEventListener("abort", abort);
    signal.addEventListener("abort", abort);
    if (signal.aborted) return abort();
    request.send(formOf(film));
  });
}

function formOf({ file, title, description, visibility }: Film): FormData {
  const texts = { title, description, visibility } satisfies Partial<UploadForm>;
  const form = new FormData();
  for (const [name, text] of Object.entries(texts)) form.set(name, text);
  form.set("file" satisfies keyof UploadForm, file);
  return form;
}

function answered(request: XMLHttpRequest, resolve: (video: Video) => void, reject: (why: unknown) => void): void {
  if (request.status !== 201 && request.status !== 200) {
    reject(problemFrom(request.status, request.responseText, request.getResponseHeader("retry-after")));
    return;
  }
  remember(request.getResponseHeader("consistency-token"));
  try {
    resolve((JSON.parse(request.responseText) as Uploaded).video);
  } catch (thrown) {
    reject(thrown);
  }
}

/** A server that refuses a body early may close the connection before the browser reads its answer. */
function cutOff(): Problem {
  return new Problem(
    0,
    "The upload broke off",
    "The connection was lost before the whole film had arrived. Check your connection and send it again; if it breaks off every time, the file may be over the server's limit.",
  );
}
