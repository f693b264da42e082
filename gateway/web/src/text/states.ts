// What a job is doing, in words for a person.
import type { JobState } from "../api/types.ts";

const STAGES: Record<JobState, string> = {
  PENDING: "Waiting for its turn",
  DOWNLOADING: "Fetching the original",
  PROCESSING: "Making the renditions",
  UPLOADING: "Publishing",
  COMPLETED: "Ready",
  FAILED: "Failed",
  CANCELLED: "Cancelled",
};

export function stageText(state: JobState | null | undefined): string {
  return state ? (STAGES[state] ?? "Working") : "Starting";
}

/** Nothing more will come from a job in one of these. */
export function isOver(state: JobState | null | undefined): boolean {
  return state === "COMPLETED" || state === "FAILED" || state === "CANCELLED";
}
