// Shows a film being sent, with a way to stop, and what to do when it failed.
import { el, fill, write } from "../dom.ts";
import { bytes, clock } from "../text/format.ts";
import { begin, cancel, clear, current, onUploadChange, type Uploading } from "../uploading.ts";
import { progressBar } from "./progress_bar.ts";
import { reels } from "./reels.ts";

export function sendingPanel(upload: Uploading, signal: AbortSignal): HTMLElement {
  const pair = reels();
  const bar = progressBar("Upload", "upload-progress");
  const stage = el("p", { class: "panel-stage" }, "Sending");
  const percent = el("p", { class: "panel-percent", "aria-hidden": "true" });
  const detail = el("p", { class: "panel-note fine", "data-testid": "upload-detail" });
  const trouble = el("p", { class: "form-error", role: "alert", hidden: true, "data-testid": "upload-error" });
  const actions = el("div", { class: "actions" });
  const stop = el("button", { type: "button", class: "button button-quiet", "data-testid": "upload-cancel", on: { click: cancel } }, "Cancel upload");
  const again = el("button", { type: "button", class: "button", "data-testid": "upload-again", on: { click: () => void begin(upload.film) } }, "Send again");
  const other = el("button", { type: "button", class: "button button-quiet", on: { click: clear } }, "Choose another film");
  const element = el("section", { class: "panel", "aria-label": "Upload" }, pair.element, el("div", { class: "panel-row" }, stage, percent), bar.element, detail, trouble, actions);

  function show(now: Uploading): void {
    const fraction = now.sentBytes / Math.max(1, now.totalBytes);
    const arrived = now.state === "sending" && fraction >= 1;
    pair.show(fraction, now.state === "sending");
    bar.show(fraction * 100, `${Math.floor(fraction * 100)} percent of ${bytes(now.totalBytes)}`);
    write(percent, `${Math.floor(fraction * 100)} %`);
    write(detail, `${bytes(now.sentBytes)} of ${bytes(now.totalBytes)}${rest(now)}`);
    write(stage, arrived ? "Sent; waiting for the server to confirm" : stageText(now.state));
  }

  function settle(now: Uploading): void {
    const failed = now.state === "failed" || now.state === "cancelled";
    fill(actions, ...(failed ? [again, other] : [stop]));
    const complaints = now.problem?.errors.map((each) => each.detail).join(" ");
    const text = now.state === "failed" ? complaints || now.problem?.detail || "The upload failed." : null;
    trouble.hidden = text === null;
    write(trouble, text ?? "");
  }

  onUploadChange(() => {
    const now = current();
    if (now) show(now);
  }, signal);
  show(upload);
  settle(upload);
  return element;
}

function stageText(state: Uploading["state"]): string {
  if (state === "failed") return "Not sent";
  return state === "cancelled" ? "Cancelled" : "Sending";
}

/** Speed and time left, once there is enough to tell them from. */
function rest(now: Uploading): string {
  const seconds = (Date.now() - now.startedAt) / 1000;
  if (now.state !== "sending" || seconds < 1.5 || now.sentBytes === 0 || now.sentBytes >= now.totalBytes) return "";
  const speed = now.sentBytes / seconds;
  return `, ${bytes(speed)} a second, ${clock((now.totalBytes - now.sentBytes) / speed)} left`;
}
