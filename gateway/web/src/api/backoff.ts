// How long to wait before trying again: doubling, capped, and scattered so that a crowd does not come back at once.

const FIRST_MS = 500;
const LONGEST_MS = 30_000;

/** Milliseconds before attempt number `attempt` (0 is the first repetition). */
export function delayMs(attempt: number, random: () => number = Math.random): number {
  const ceiling = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(attempt, 16));
  return Math.round(ceiling / 2 + (ceiling / 2) * random());
}
