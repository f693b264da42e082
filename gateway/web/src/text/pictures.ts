// Which files are taken as somebody's picture. The gateway judges; this only says so before much is sent.
import { bytes } from "./format.ts";

export const PICTURE_KINDS: readonly string[] = ["image/jpeg", "image/png", "image/webp", "image/gif"];
const MAX_BYTES = 10_000_000;

export const PICTURE_HINT = `A JPEG, PNG, WebP or GIF of at most ${bytes(MAX_BYTES)}.`;

/** What is wrong with a file, or nothing. */
export function unfit(file: { type: string; size: number }): string | null {
  if (!PICTURE_KINDS.includes(file.type)) return "This is no JPEG, PNG, WebP or GIF.";
  if (file.size === 0) return "This file is empty.";
  return file.size > MAX_BYTES ? `This picture has ${bytes(file.size)}; it may have at most ${bytes(MAX_BYTES)}.` : null;
}
