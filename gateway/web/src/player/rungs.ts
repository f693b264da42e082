// Which renditions may be played from a position while more of them are still being made.
import type { Rendition } from "../api/types.ts";

/** A rung is taken on when it reaches this far past the position, and given up when it reaches less far than `KEEP`. */
const TAKE_SECONDS = 24;
const KEEP_SECONDS = 6;

/**
 * The names worth offering to the automatic choice. A rung that ends before the position would stop the film or throw it
 * back, so only those far enough ahead count; the one that reaches farthest always does.
 */
export function usable(renditions: readonly Rendition[], position: number, inUse: ReadonlySet<string>): Set<string> {
  const names = new Set<string>();
  let farthest: Rendition | null = null;
  for (const rendition of renditions) {
    if (rendition.published_seconds <= 0 && !rendition.complete) continue;
    const needed = inUse.has(rendition.name) ? KEEP_SECONDS : TAKE_SECONDS;
    if (rendition.complete || rendition.published_seconds - position >= needed) names.add(rendition.name);
    if (!farthest || reach(rendition) > reach(farthest)) farthest = rendition;
  }
  if (farthest) names.add(farthest.name);
  return names;
}

/** How far into the film anything has been published, in seconds. */
export function publishedEnd(renditions: readonly Rendition[]): number {
  return Math.max(0, ...renditions.map((rendition) => rendition.published_seconds));
}

/** The rendition that a playlist's address belongs to: `…/hls/480p/index.m3u8?sig=…` is `480p`. */
export function nameIn(address: string): string {
  const parts = (address.split(/[?#]/)[0] ?? "").split("/");
  return parts.at(-2) ?? "";
}

export function sameNames(one: ReadonlySet<string>, other: ReadonlySet<string>): boolean {
  return one.size === other.size && [...one].every((name) => other.has(name));
}

function reach(rendition: Rendition): number {
  return rendition.complete ? Number.POSITIVE_INFINITY : rendition.published_seconds;
}
