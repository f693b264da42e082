// Plays an HLS address in a video element, and takes on renditions that appear later without interrupting the film.
//
// hls.js reads the list of renditions once. To learn of new ones a second instance reads the master playlist in the
// background; then the media source, with everything buffered in it, is handed from the first instance to the second
// (`transferMedia`), so the picture goes on and the position is kept.
import type Hls from "hls.js";
import type { AttachMediaSourceData, ErrorData, HlsConfig, Level } from "hls.js";
import type { Rendition } from "../api/types.ts";
import { rungLabel } from "../text/format.ts";
import { nameIn, sameNames, usable } from "./rungs.ts";

type HlsClass = typeof Hls;

export interface Rung {
  name: string;
  label: string;
  bandwidth: number;
}

export interface StreamEvents {
  /** The rungs, the choice or the rung being played changed. */
  changed: () => void;
  /** Cannot go on by itself. `gone` when the address is no longer answered (an expired signature, most likely). */
  failed: (failure: { gone: boolean; text: string }) => void;
}

const MANIFEST_MS = 15_000;
const REFRESH_PAUSE_MS = 4000;
const MEDIA_RECOVERIES = 2;
/** Time for the other rung's next segment to arrive. */
const SWITCH_MARGIN_SECONDS = 1.5;

export class Stream {
  private library: HlsClass | null = null;
  private hls: Hls | null = null;
  private address = "";
  private offered: Set<string> = new Set();
  private renditions: readonly Rendition[] = [];
  private chosen: string | null = null;
  private refreshedAt = 0;
  private refreshing = false;
  private later: number | undefined;
  private recoveries = 0;
  /** What is buffered may have been loaded by an instance that is gone. */
  private handedOver = false;
  private destroyed = false;

  constructor(
    private readonly media: HTMLVideoElement,
    private readonly events: StreamEvents,
  ) {}

  /** Loads an address; the film starts, or goes on, at `position` seconds. */
  async open(address: string, renditions: readonly Rendition[], position: number): Promise<void> {
    this.address = address;
    this.renditions = renditions;
    this.library ??= (await import("hls.js")).default;
    if (this.destroyed) return;
    if (!this.library.isSupported()) return this.openNatively(position);
    this.hls?.destroy();
    this.handedOver = false;
    const hls = new this.library(this.config(position));
    this.adopt(hls);
    hls.on(this.library.Events.MANIFEST_PARSED, () => this.restrict(hls));
    hls.loadSource(address);
    hls.attachMedia(this.media);
  }

  /** What the server says of the renditions now. New ones are taken on as soon as they reach past the position. */
  async update(address: string, renditions: readonly Rendition[]): Promise<void> {
    this.address = address;
    this.renditions = renditions;
    clearTimeout(this.later);
    if (!this.hls) return;
    const pause = this.refreshing ? REFRESH_PAUSE_MS : this.refreshedAt + REFRESH_PAUSE_MS - Date.now();
    // What came too soon may be the last that is said of this job, so it is kept, not dropped.
    if (pause > 0) {
      this.later = window.setTimeout(() => void this.update(this.address, this.renditions), pause);
      return;
    }
    const wanted = usable(renditions, this.media.currentTime, this.offered);
    if (wanted.size === 0 || sameNames(wanted, this.offered) || this.chosenIsIn(wanted) === false) return;
    await this.refresh();
  }

  /** The rungs that can be chosen now, best first. */
  rungs(): Rung[] {
    const rungs = (this.hls?.levels ?? []).map((level) => ({
      name: nameIn(level.uri),
      label: rungLabel(level.width, level.height),
      bandwidth: level.bitrate,
    }));
    return rungs.sort((one, other) => other.bandwidth - one.bandwidth);
  }

  /** The rung being shown: told by the picture itself, because an instance does not know what it was handed over. */
  playing(): Rung | null {
    const { videoWidth, videoHeight } = this.media;
    const levels = this.hls?.levels ?? [];
    const level = levels.find(({ width, height }) => width === videoWidth && height === videoHeight) ?? levels[this.hls?.currentLevel ?? -1];
    return level ? { name: nameIn(level.uri), label: rungLabel(level.width, level.height), bandwidth: level.bitrate } : null;
  }

  /** The rung asked for, or null for automatic. */
  choice(): string | null {
    return this.chosen;
  }

  choose(name: string | null): void {
    this.chosen = name;
    if (!this.hls) return;
    this.hls.nextLevel = name === null ? -1 : this.indexOf(this.hls, name);
    if (this.handedOver && this.playing()?.name !== name) this.dropAhead(this.hls);
    this.events.changed();
  }

  destroy(): void {
    this.destroyed = true;
    clearTimeout(this.later);
    this.hls?.destroy();
    this.hls = null;
    this.media.removeAttribute("src");
    this.media.load();
  }

  /** Throws away what is buffered after the present segment; hls.js does so itself only for what it has loaded itself. */
  private dropAhead(hls: Hls): void {
    const soon = this.media.currentTime + SWITCH_MARGIN_SECONDS;
    const boundary = hls.latestLevelDetails?.fragments.find((fragment) => fragment.end > soon)?.end;
    if (boundary === undefined || !this.library) return;
    const type = hls.audioTracks.length > 0 ? "video" : null;
    hls.trigger(this.library.Events.BUFFER_FLUSHING, { startOffset: boundary, endOffset: Number.POSITIVE_INFINITY, type });
  }

  private async refresh(): Promise<void> {
    const [old, library] = [this.hls, this.library];
    if (!old || !library) return;
    this.refreshing = true;
    const next = new library({ ...this.config(-1), autoStartLoad: false });
    try {
      await this.manifestOf(next);
      if (this.destroyed || this.hls !== old) throw new Error("the player has moved on");
      this.restrict(next);
      await this.handOver(old, next);
    } catch (thrown) {
      next.destroy();
      // Handing over failed half-way: begin anew where the film stood.
      if (!this.destroyed && this.hls === next) await this.open(this.address, this.renditions, this.media.currentTime);
      else console.info("new renditions were not taken on", thrown);
    } finally {
      this.refreshing = false;
      this.refreshedAt = Date.now();
    }
  }

  private manifestOf(hls: Hls): Promise<void> {
    const library = this.library;
    if (!library) return Promise.reject(new Error("hls.js is not loaded"));
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error("the playlist did not come in time")), MANIFEST_MS);
      hls.once(library.Events.MANIFEST_PARSED, () => resolve());
      hls.on(library.Events.ERROR, (_, data) => {
        if (data.fatal) reject(data.error);
      });
      hls.once(library.Events.DESTROYING, () => clearTimeout(timer));
      hls.loadSource(this.address);
    });
  }

  private async handOver(old: Hls, next: Hls): Promise<void> {
    const played = old.levels[old.currentLevel]?.uri;
    next.bandwidthEstimate = old.bandwidthEstimate;
    const source = old.transferMedia();
    this.adopt(next);
    old.destroy();
    if (!source) throw new Error("there was no media source to hand over");
    await quiet(source);
    if (this.destroyed) return;
    if (played) next.startLevel = this.indexOf(next, nameIn(played));
    next.attachMedia(source);
    this.handedOver = true;
    // A position has to be named: without one the growing playlist would be joined at its end.
    next.startLoad(this.media.currentTime);
    if (this.chosen !== null) next.loadLevel = this.indexOf(next, this.chosen);
    this.events.changed();
  }

  /** Makes an instance the one in charge. */
  private adopt(hls: Hls): void {
    this.hls = hls;
    const { Events } = this.library as HlsClass;
    hls.on(Events.LEVELS_UPDATED, () => this.events.changed());
    hls.on(Events.LEVEL_SWITCHED, () => this.events.changed());
    hls.on(Events.MANIFEST_PARSED, () => this.events.changed());
    hls.on(Events.ERROR, (_, data) => this.troubled(hls, data));
  }

  /** Leaves only the rungs that reach past the position. */
  private restrict(hls: Hls): void {
    const all = new Set(hls.levels.map((level: Level) => nameIn(level.uri)));
    const wanted = usable(this.renditions, this.media.currentTime, this.offered);
    const kept = new Set([...all].filter((name) => wanted.has(name)));
    if (kept.size > 0) {
      for (let index = hls.levels.length - 1; index >= 0; index -= 1) {
        if (!kept.has(nameIn(hls.levels[index]?.uri ?? ""))) hls.removeLevel(index);
      }
    }
    this.offered = kept.size > 0 ? kept : all;
  }

  private troubled(hls: Hls, data: ErrorData): void {
    if (!data.fatal || hls !== this.hls || !this.library) return;
    const code = data.response?.code ?? 0;
    if (data.type === this.library.ErrorTypes.MEDIA_ERROR && this.recoveries < MEDIA_RECOVERIES) {
      this.recoveries += 1;
      hls.recoverMediaError();
      return;
    }
    const gone = code === 401 || code === 403 || code === 404 || code === 410;
    const network = data.type === this.library.ErrorTypes.NETWORK_ERROR;
    this.events.failed({ gone, text: network ? "The film could not be loaded any further." : "Your browser could not play this film." });
  }

  private openNatively(position: number): void {
    if (!this.media.canPlayType("application/vnd.apple.mpegurl")) {
      this.events.failed({ gone: false, text: "This browser can play no streamed films. A newer one can." });
      return;
    }
    this.media.src = this.address;
    this.media.addEventListener("loadedmetadata", () => (this.media.currentTime = position), { once: true });
  }

  private config(position: number): Partial<HlsConfig> {
    return {
      // A growing playlist would otherwise be taken for a live one and begin at its end.
      startPosition: position,
      // Fragmented MP4 needs no repacking, so a worker would only cost its loading.
      enableWorker: false,
      capLevelToPlayerSize: true,
      backBufferLength: 60,
      maxBufferLength: 30,
      // Whoever stops after a minute has not loaded ten.
      maxMaxBufferLength: 60,
    };
  }

  private indexOf(hls: Hls, name: string): number {
    return hls.levels.findIndex((level) => nameIn(level.uri) === name);
  }

  /** Null when nothing was chosen by hand. */
  private chosenIsIn(names: ReadonlySet<string>): boolean | null {
    return this.chosen === null ? null : names.has(this.chosen);
  }
}

/** Waits until no source buffer is being written, which it could not survive being taken over. */
async function quiet(source: AttachMediaSourceData): Promise<void> {
  const busy = Object.values(source.tracks ?? {}).flatMap((track) => (track?.buffer?.updating ? [track.buffer] : []));
  await Promise.all(busy.map((buffer) => new Promise((done) => buffer.addEventListener("updateend", done, { once: true }))));
}
