// Keeps what comes as a stream as a file of the person's: piece by piece where the browser can, else gathered and then handed over.
import { Problem } from "./problem.ts";

type Piece = Uint8Array<ArrayBuffer>;
export type Stream = ReadableStream<Piece>;

/** Ends with one of `done` and `drop`. */
export interface Keeper {
  write: (piece: Piece) => Promise<void>;
  /** Only then there is a file. */
  done: () => Promise<void>;
  drop: () => Promise<void>;
}

interface Picking {
  showSaveFilePicker?: (options: { suggestedName: string }) => Promise<FileSystemFileHandle & { remove?: () => Promise<void> }>;
}

/** Pieces are put together to this size, which browsers need not hold in memory. */
const HEAP_BYTES = 16_000_000;
/** A browser has begun to save a file by then. */
const HANDED_OVER_MS = 60_000;

/** Asks where the file is to be, where the browser lets one choose: only in the course of a click. An AbortError when nothing was chosen. */
export async function keeper(name: string): Promise<Keeper> {
  const pick = (window as Picking).showSaveFilePicker;
  if (!pick) return gathering(name);
  const handle = await pick.call(window, { suggestedName: name });
  const file = await handle.createWritable();
  return {
    write: (piece) => file.write(piece),
    done: () => file.close(),
    drop: async () => {
      await file.abort();
      // It was made, empty, when it was chosen.
      await handle.remove?.();
    },
  };
}

/** Keeps all of it or nothing, and answers with how many bytes that are. `progress` is told how many have come. */
export async function poured(ask: () => Promise<Stream>, kept: Keeper, progress: (bytes: number) => void): Promise<number> {
  let reader: ReadableStreamDefaultReader<Piece> | null = null;
  let count = 0;
  try {
    reader = (await ask()).getReader();
    for (;;) {
      const { done, value } = await reader.read().catch(brokenOff);
      if (done) break;
      await kept.write(value);
      count += value.byteLength;
      progress(count);
    }
    await kept.done();
    return count;
  } catch (thrown) {
    // What went wrong first is what is told.
    await Promise.allSettled([reader?.cancel(), kept.drop()]);
    throw thrown;
  }
}

function brokenOff(thrown: unknown): never {
  if (!(thrown instanceof TypeError)) throw thrown;
  throw new Problem(0, "The download broke off", "The connection was lost before everything had come, and nothing was saved. Check your connection and start again.");
}

function gathering(name: string): Keeper {
  let heaps: Blob[] = [];
  let pieces: Piece[] = [];
  let size = 0;
  return {
    write: async (piece) => {
      pieces.push(piece);
      size += piece.byteLength;
      if (size < HEAP_BYTES) return;
      heaps.push(new Blob(pieces));
      [pieces, size] = [[], 0];
    },
    done: async () => hand(new Blob([...heaps, ...pieces]), name),
    drop: async () => {
      [heaps, pieces] = [[], []];
    },
  };
}

/** As if a link to it were followed. */
function hand(file: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), HANDED_OVER_MS);
}
