// Watching one video, also while it is still being made.
import { asProblem, isAbort } from "../api/problem.ts";
import { user } from "../api/session.ts";
import type { Video } from "../api/types.ts";
import { get } from "../api/videos.ts";
import { note } from "../announce.ts";
import { el, fill, write } from "../dom.ts";
import { badges } from "../parts/badge.ts";
import { deleteDialog, editDialog } from "../parts/dialogs.ts";
import { processingPanel } from "../parts/processing_panel.ts";
import { rungsList } from "../parts/rungs_list.ts";
import { errorState } from "../parts/states.ts";
import { player, type Player } from "../player/player.ts";
import { entitle, go, type View, type Visit } from "../router.ts";
import { ago, bytes, clock } from "../text/format.ts";
import { isOver } from "../text/states.ts";

/** How often the renditions are read anew while a job runs. */
const REREAD_MS = 5000;

export function watch({ id, signal }: Visit): View {
  const element = el("div", { class: "page page-watch", "aria-busy": "true" }, el("div", { class: "player skeleton" }));
  void begin();

  async function begin(): Promise<void> {
    try {
      const { data } = await get(id, signal);
      element.removeAttribute("aria-busy");
      new Watching(element, data, signal).start();
    } catch (thrown) {
      if (isAbort(thrown)) return;
      element.removeAttribute("aria-busy");
      fill(element, errorState(asProblem(thrown), () => void begin(), "h1"));
    }
  }

  return { title: "Watch", element };
}

class Watching {
  private readonly theatre = el("div", { class: "theatre" });
  private readonly heading = el("h1", { class: "watch-title", "data-testid": "watch-title" });
  private readonly signs = el("div", { class: "watch-badges" });
  private readonly line = el("p", { class: "watch-line" });
  private readonly facts = el("p", { class: "watch-facts fine" });
  private readonly description = el("p", { class: "watch-description" });
  private readonly warnings = el("ul", { class: "warnings", hidden: true });
  private readonly rungs = rungsList();
  private readonly work = el("div");
  private player: Player | null = null;
  private rereadAt = 0;
  private timer: number | undefined;

  constructor(
    private readonly element: HTMLElement,
    private video: Video,
    private readonly signal: AbortSignal,
  ) {}

  start(): void {
    const about = el("div", { class: "watch-about" }, this.heading, this.signs, this.line, this.mine() ? this.ownerActions() : null, this.description, this.warnings, this.facts);
    fill(this.element, this.theatre, el("div", { class: "watch-below" }, about, el("aside", { class: "watch-side", "aria-label": "Renditions and processing" }, this.work, this.rungs.element)));
    this.show();
    if (!this.isFinished()) this.followWork();
    this.signal.addEventListener("abort", () => clearTimeout(this.timer));
  }

  private show(): void {
    const { video } = this;
    entitle(video.title);
    write(this.heading, video.title);
    fill(this.signs, ...badges(video));
    write(this.line, `${video.owner_username} · ${ago(video.created_at)} · ${clock(video.duration_seconds)}`);
    write(this.description, video.description);
    write(this.facts, factsOf(video));
    this.warnings.hidden = video.warnings.length === 0 || !this.mine();
    fill(this.warnings, ...video.warnings.map((warning) => el("li", {}, warning)));
    this.rungs.show(video.renditions, video.duration_seconds ?? null);
    this.showTheatre();
  }

  private showTheatre(): void {
    if (this.player) return this.player.update(this.video);
    if (!this.video.hls_url) return fill(this.theatre, this.curtain());
    this.player = player({ video: this.video, reread: () => this.reread(), curious: () => void this.reread(), signal: this.signal });
    fill(this.theatre, this.player.element);
  }

  /** What stands in the player's place while there is nothing to play. */
  private curtain(): HTMLElement {
    const failed = this.video.status === "failed";
    const text = failed ? (this.video.error_text ?? "This film could not be processed.") : "The first seconds are being prepared. The film starts here by itself.";
    const picture = this.video.thumbnail_url ? el("img", { class: "curtain-picture", src: this.video.thumbnail_url, alt: "" }) : null;
    return el("div", { class: "player curtain", "data-testid": "curtain" }, picture, el("p", { role: failed ? "alert" : "status" }, text));
  }

  private followWork(): void {
    const panel = processingPanel({
      videoId: this.video.id,
      mine: this.mine(),
      watchLink: false,
      signal: this.signal,
      changed: ({ status }) => {
        const over = isOver(status.job?.state) || status.status === "ready" || status.status === "failed";
        const first = status.playable && !this.player;
        if (over || first) void this.reread();
        else this.rereadSoon();
      },
    });
    fill(this.work, panel);
  }

  /** Progress comes twice a second; the renditions need reading much less often. */
  private rereadSoon(): void {
    if (this.timer !== undefined) return;
    this.timer = window.setTimeout(() => {
      this.timer = undefined;
      void this.reread();
    }, Math.max(0, this.rereadAt + REREAD_MS - Date.now()));
  }

  private async reread(): Promise<Video | null> {
    this.rereadAt = Date.now();
    try {
      this.video = (await get(this.video.id, this.signal)).data;
      this.show();
      if (this.video.status === "ready") fill(this.work);
      return this.video;
    } catch {
      // Playing goes on with what is known; the next message tries again.
      return null;
    }
  }

  private ownerActions(): HTMLElement {
    const edit = el("button", { type: "button", class: "button button-quiet button-small", "data-testid": "edit-video" }, "Edit");
    const remove = el("button", { type: "button", class: "button button-quiet button-small", "data-testid": "delete-video" }, "Delete");
    edit.addEventListener("click", async () => {
      try {
        if (await editDialog(this.video.id)) await this.reread();
      } catch (thrown) {
        note(asProblem(thrown).detail, "bad");
      }
    });
    remove.addEventListener("click", async () => {
      if (await deleteDialog(this.video)) go("/my");
    });
    return el("div", { class: "actions" }, edit, remove);
  }

  private mine(): boolean {
    return user()?.id === this.video.owner_id;
  }

  private isFinished(): boolean {
    return this.video.status === "ready";
  }
}

function factsOf(video: Video): string {
  const size = video.width && video.height ? `${video.width} × ${video.height}` : null;
  const codecs = [video.video_codec, video.audio_codec].filter(Boolean).join(" + ") || null;
  const original = video.file_size ? `original ${bytes(video.file_size)}` : null;
  return [size, codecs, original].filter(Boolean).join(" · ");
}
