// Follows one video's processing: messages as they come, and asking from time to time, which also covers a lost socket.
import { isOver } from "../text/states.ts";
import { isConnected, listen, type Message } from "./live.ts";
import { asProblem, isAbort, type Problem } from "./problem.ts";
import type { Job, Status } from "./types.ts";
import { status } from "./videos.ts";

const ASK_ALONE_MS = 2000;
const ASK_CALMLY_MS = 8000;
/** Until the film can be played the next question comes sooner: people wait for exactly that. */
const ASK_UNTIL_PLAYABLE_MS = 900;

export interface Following {
  status: Status;
  stage: string | null;
}

export interface Follower {
  changed: (now: Following) => void;
  /** Called for each failed question; following goes on unless it says the video is gone. */
  failed?: (problem: Problem) => void;
  /** For a card among many: asks seldom, whatever happens. */
  calm?: boolean;
}

/** Ends when the job is over or the signal is aborted. The last call of `changed` shows the end. */
export function follow(videoId: string, follower: Follower, signal: AbortSignal): void {
  const ended = new AbortController();
  const stop = AbortSignal.any([signal, ended.signal]);
  let latest: Following | null = null;
  let timer: number | undefined;
  let failures = 0;
  let endHeard = false;

  const show = (next: Following) => {
    latest = next;
    follower.changed(next);
  };
  const askLater = (ms: number) => {
    clearTimeout(timer);
    if (!stop.aborted) timer = window.setTimeout(() => void askNow(), ms);
  };
  const askNow = async () => {
    try {
      const answer = await status(videoId, stop);
      failures = 0;
      show({ status: forward(latest, answer), stage: latest?.stage ?? null });
      if (isFinal(answer)) ended.abort();
    } catch (thrown) {
      if (isAbort(thrown) || stop.aborted) return;
      const problem = asProblem(thrown);
      failures += 1;
      follower.failed?.(problem);
      if (problem.status === 404 || problem.status === 403) ended.abort();
      const pause = (problem.retryAfterSeconds ?? 0) * 1000;
      return askLater(Math.max(pause, Math.min(30_000, ASK_ALONE_MS * 2 ** failures)));
    }
    if (follower.calm) askLater(ASK_CALMLY_MS);
    else askLater(endHeard ? ASK_UNTIL_PLAYABLE_MS : pauseMs(latest));
  };
  const hear = (message: Message) => {
    if (message.data?.video_id !== videoId) return;
    if (message.type === "videoProcessingProgress" && latest) {
      const { job_id, state, progress, stage_text } = message.data;
      const job: Job = { id: job_id, state, progress, attempts: latest.status.job?.attempts ?? 1, error_text: null };
      show({ status: { ...latest.status, job }, stage: stage_text ?? null });
    } else if (message.type !== "videoProcessingProgress") {
      // The view that answers may not know of the end yet.
      endHeard = true;
      void askNow();
    }
  };

  stop.addEventListener("abort", () => clearTimeout(timer));
  listen(hear, stop);
  void askNow();
}

function pauseMs(latest: Following | null): number {
  const begun = latest?.status.job && latest.status.job.state !== "PENDING";
  if (begun && !latest.status.playable) return ASK_UNTIL_PLAYABLE_MS;
  return isConnected() ? ASK_CALMLY_MS : ASK_ALONE_MS;
}

function isFinal(answer: Status): boolean {
  const resting = answer.status === "ready" || answer.status === "failed";
  return answer.job ? isOver(answer.job.state) : resting;
}

/** A message may be ahead of the view that answers questions: the bar must not run backwards within one job. */
function forward(latest: Following | null, answer: Status): Status {
  const [before, now] = [latest?.status.job, answer.job];
  if (!before || !now || before.id !== now.id || isOver(now.state) || before.attempts < now.attempts) return answer;
  return before.progress > now.progress ? { ...answer, job: { ...now, progress: before.progress } } : answer;
}
