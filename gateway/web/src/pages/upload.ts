// Putting a film on: choosing it, sending it, and watching it being processed.
import { asProblem, isAbort } from "../api/problem.ts";
import { user } from "../api/session.ts";
import type { Video } from "../api/types.ts";
import { get } from "../api/videos.ts";
import { el, fill } from "../dom.ts";
import { errorState } from "../parts/states.ts";
import { processingPanel } from "../parts/processing_panel.ts";
import { sendingPanel } from "../parts/sending_panel.ts";
import { uploadForm } from "../parts/upload_form.ts";
import { go, type View, type Visit } from "../router.ts";
import { begin, clear, current, onUploadChange } from "../uploading.ts";

export function upload({ query, signal }: Visit): View {
  const stage = el("div", { class: "upload-stage" });
  const heading = el("h1", { class: "page-title" }, "Upload a film");
  const element = el("div", { class: "page page-middle" }, heading, stage);
  const videoId = query.get("video");
  let shown = "";

  async function showVideo(id: string): Promise<void> {
    heading.textContent = "Processing";
    fill(stage, el("p", { class: "lead" }, "Reading…"));
    try {
      showProcessing((await get(id, signal)).data);
    } catch (thrown) {
      if (!isAbort(thrown)) fill(stage, errorState(asProblem(thrown), () => void showVideo(id)));
    }
  }

  function showProcessing(video: Video): void {
    heading.textContent = video.title;
    const mine = video.owner_id === user()?.id;
    const panel = processingPanel({ videoId: video.id, mine, watchLink: true, signal });
    const another = el("a", { class: "button button-quiet", href: "/upload", "data-testid": "upload-another" }, "Upload another");
    fill(stage, panel, el("p", { class: "aside" }, "You can leave this page: the work goes on. ", el("a", { href: "/my" }, "My videos"), " shows how far it is."), another);
  }

  function showForm(): void {
    fill(stage, uploadForm((film) => void begin(film)));
  }

  function draw(): void {
    const running = current();
    const state = running?.state ?? "none";
    if (state === shown) return;
    shown = state;
    if (running?.state === "sent" && running.video) {
      const { video } = running;
      // The address now names the video, so that reloading the page comes back to it.
      clear();
      go(`/upload?video=${encodeURIComponent(video.id)}`, { replace: true });
    } else if (running) {
      heading.textContent = running.film.title;
      fill(stage, sendingPanel(running, signal));
    } else {
      heading.textContent = "Upload a film";
      showForm();
    }
  }

  if (videoId) {
    void showVideo(videoId);
  } else {
    onUploadChange(draw, signal);
    draw();
  }
  return { title: videoId ? "Processing" : "Upload", element };
}
