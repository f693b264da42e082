// One's own videos, with editing and deleting.
import { asProblem } from "../api/problem.ts";
import type { Video } from "../api/types.ts";
import { list } from "../api/videos.ts";
import { note } from "../announce.ts";
import { el } from "../dom.ts";
import { deleteDialog, editDialog } from "../parts/dialogs.ts";
import { emptyState } from "../parts/states.ts";
import { videoGrid } from "../parts/video_grid.ts";
import type { View, Visit } from "../router.ts";

const FOLLOWED = 8;

export function my({ signal }: Visit): View {
  const grid = videoGrid({
    read: (cursor, until) => list("me", cursor, until),
    empty: () => emptyState("Nothing here yet", "Films you upload are kept here, private ones too.", el("a", { class: "button", href: "/upload" }, "Upload a film")),
    actions: (video) => actionsFor(video),
    followed: FOLLOWED,
    signal,
  });

  function actionsFor(video: Video): HTMLElement[] {
    const edit = el("button", { type: "button", class: "button button-quiet button-small", "aria-label": `Edit ${video.title}`, "data-testid": "edit-video" }, "Edit");
    const remove = el("button", { type: "button", class: "button button-quiet button-small", "aria-label": `Delete ${video.title}`, "data-testid": "delete-video" }, "Delete");
    edit.addEventListener("click", () => void change(video));
    remove.addEventListener("click", async () => {
      if (await deleteDialog(video)) grid.remove(video.id);
    });
    const unfinished = video.status !== "ready";
    const work = unfinished && el("a", { class: "button button-quiet button-small", href: `/upload?video=${encodeURIComponent(video.id)}` }, "Processing");
    return work ? [edit, remove, work] : [edit, remove];
  }

  async function change(video: Video): Promise<void> {
    try {
      if (await editDialog(video.id)) await grid.refresh(video.id);
    } catch (thrown) {
      note(asProblem(thrown).detail, "bad");
    }
  }

  return { title: "My videos", element: el("div", { class: "page" }, el("h1", { class: "page-title" }, "My videos"), grid.element) };
}
