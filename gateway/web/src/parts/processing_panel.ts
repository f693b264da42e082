// Shows a video being processed: the reels, how far it is, what to do meanwhile, and how it ended.
import { note, say } from "../announce.ts";
import { follow, type Following } from "../api/follow.ts";
import { asProblem } from "../api/problem.ts";
import { cancel, start } from "../api/processing.ts";
import { el, fill, write } from "../dom.ts";
import { icon } from "../icons.ts";
import { isOver, stageText } from "../text/states.ts";
import { progressBar } from "./progress_bar.ts";
import { reels } from "./reels.ts";

export interface PanelOptions {
  videoId: string;
  /** Owners may stop and start the work. */
  mine: boolean;
  /** On the watch page the film is already there. */
  watchLink: boolean;
  changed?: (now: Following) => void;
  signal: AbortSignal;
}

export function processingPanel(options: PanelOptions): HTMLElement {
  const { videoId, signal } = options;
  const pair = reels();
  const bar = progressBar("Processing", "processing-progress");
  const stage = el("p", { class: "panel-stage", "data-testid": "processing-stage" }, "Starting");
  const percent = el("p", { class: "panel-percent", "aria-hidden": "true" }, "0 %");
  const trouble = el("p", { class: "panel-note", hidden: true });
  const actions = el("div", { class: "actions" });
  const element = el(
    "section",
    { class: "panel", "aria-label": "Processing", "data-testid": "processing-panel" },
    pair.element,
    el("div", { class: "panel-row" }, stage, percent),
    bar.element,
    trouble,
    actions,
  );
  const watch = el("a", { class: "button", href: `/watch/${encodeURIComponent(videoId)}`, "data-testid": "watch-now" }, icon("play"), "Watch now");
  const stop = el("button", { type: "button", class: "button button-quiet", "data-testid": "cancel-processing" }, "Stop processing");
  const again = el("button", { type: "button", class: "button", "data-testid": "start-processing" }, "Process again");
  stop.addEventListener("click", () => void command(stop, () => cancel(videoId), "Processing will stop."));
  again.addEventListener("click", () => void command(again, () => start(videoId), "Processing starts again.", run));
  let wasPlayable = false;
  let offered = "";

  function show(now: Following): void {
    const { job, status, playable } = now.status;
    const done = status === "ready" || job?.state === "COMPLETED";
    const failed = !done && (status === "failed" || job?.state === "FAILED" || job?.state === "CANCELLED");
    const progress = done ? 100 : (job?.progress ?? 0);
    element.dataset["state"] = job?.state ?? status;
    pair.show(progress / 100, !done && !failed);
    bar.show(progress, `${Math.floor(progress)} percent, ${stageText(job?.state)}`);
    write(percent, `${Math.floor(progress)} %`);
    write(stage, stageOf(now, done));
    tell(failed ? endText(now) : null);
    offer(playable, done, failed);
    if (playable && !wasPlayable && options.watchLink) say("The film can be watched now.");
    wasPlayable = playable;
    options.changed?.(now);
  }

  function offer(playable: boolean, done: boolean, failed: boolean): void {
    const choices = [
      playable && options.watchLink ? watch : null,
      options.mine && !done && !failed ? stop : null,
      options.mine && failed ? again : null,
    ];
    const wanted = choices.map((choice) => (choice ? "1" : "0")).join("");
    // Replacing buttons would take the focus away from the one just reached.
    if (wanted !== offered) fill(actions, ...choices);
    offered = wanted;
  }

  function tell(text: string | null): void {
    trouble.hidden = text === null;
    write(trouble, text ?? "");
  }

  function run(): void {
    follow(videoId, { changed: show, failed: (problem) => tell(`${problem.detail} Trying again by itself.`) }, signal);
  }

  run();
  return element;
}

function stageOf(now: Following, done: boolean): string {
  if (done) return "Ready";
  const { job, status } = now.status;
  if (!job) return status === "failed" ? "Failed" : "Waiting for its turn";
  return now.stage && !isOver(job.state) ? now.stage : stageText(job.state);
}

function endText(now: Following): string {
  const { job, playable } = now.status;
  const kept = playable ? " What was finished can still be watched." : "";
  if (job?.state === "CANCELLED") return `Processing was stopped.${kept}`;
  return `${job?.error_text ?? "The film could not be processed."}${kept}`;
}

async function command(button: HTMLButtonElement, send: () => Promise<void>, done: string, then?: () => void): Promise<void> {
  button.disabled = true;
  try {
    await send();
    note(done);
    then?.();
  } catch (thrown) {
    note(asProblem(thrown).detail, "bad");
  } finally {
    button.disabled = false;
  }
}
