// Windows for one video: deleting and editing it.
import { note } from "../announce.ts";
import { asProblem, Problem } from "../api/problem.ts";
import type { Video } from "../api/types.ts";
import { edit, get, remove } from "../api/videos.ts";
import { closer, confirmed, frame, opened } from "./confirm.ts";
import { field, form } from "./form.ts";
import { visibilityChoice } from "./visibility.ts";

/** Asks, deletes, and resolves with whether the video is gone. */
export function deleteDialog(video: Video): Promise<boolean> {
  return confirmed({
    title: "Delete this video?",
    text: `“${video.title}” and everything made from it will be gone. This cannot be undone.`,
    sure: "Delete for good",
    keep: "Keep it",
    testid: "confirm-delete",
    act: async () => {
      await remove(video.id);
      note("The video is deleted.");
    },
  });
}

/** Edits title, description and visibility, and resolves with whether something was saved. */
export async function editDialog(id: string): Promise<boolean> {
  let { data: video, etag } = await get(id);
  const title = field({ name: "title", label: "Title", value: video.title, required: true, maxLength: 200 });
  const description = field({ name: "description", label: "Description", value: video.description, multiline: true, required: false, maxLength: 5000 });
  const visibility = visibilityChoice(video.visibility);
  const save = async () => {
    await edit(id, { title: title.input.value.trim(), description: description.input.value, visibility: visibility.value() }, etag);
    note("Your changes are saved.");
    dialog.close("done");
  };
  const editing = form({
    testid: "edit-form",
    fields: [title, description],
    extra: [visibility.element],
    submit: "Save",
    busy: "Saving…",
    send: async () => {
      try {
        await save();
      } catch (thrown) {
        const problem = asProblem(thrown);
        if (problem.status !== 412 && problem.status !== 409) throw thrown;
        ({ data: video, etag } = await get(id));
        throw new Problem(problem.status, "Changed meanwhile", `The video was changed elsewhere meanwhile; it is now called “${video.title}”. What you wrote is still here: save again to replace it.`);
      }
    },
  });
  const dialog = frame("Edit video", editing);
  editing.append(closer("Cancel"));
  return opened(dialog);
}
