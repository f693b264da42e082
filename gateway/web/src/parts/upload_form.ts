// Choosing a film and saying what it is.
import { el, fill, write } from "../dom.ts";
import { icon } from "../icons.ts";
import type { Film } from "../api/uploads.ts";
import { bytes, titleFromFileName } from "../text/format.ts";
import { field } from "./form.ts";
import { visibilityChoice } from "./visibility.ts";

export function uploadForm(send: (film: Film) => void): HTMLFormElement {
  let file: File | null = null;
  let guessed = "";
  const picker = el("input", { type: "file", class: "drop-input", id: "upload-file", accept: "video/*,audio/*,.mkv,.ts,.flv,.avi,.mov,.webm", "data-testid": "upload-file", "aria-describedby": "upload-file-error" });
  const chosen = el("span", { class: "drop-text" });
  const error = el("p", { class: "field-error", id: "upload-file-error", hidden: true, "data-testid": "error-file" });
  const drop = el("label", { class: "drop", for: "upload-file" }, icon("upload"), chosen, picker);
  const title = field({ name: "title", label: "Title", required: true, maxLength: 200 });
  const description = field({ name: "description", label: "Description", multiline: true, required: false, maxLength: 5000 });
  const visibility = visibilityChoice("public");
  const button = el("button", { type: "submit", class: "button", "data-testid": "upload-submit" }, "Upload");
  const element = el(
    "form",
    { class: "form", novalidate: true, "data-testid": "upload-form" },
    drop,
    error,
    title.element,
    description.element,
    visibility.element,
    button,
  );

  function complain(text: string | null): void {
    error.hidden = text === null;
    write(error, text ?? "");
    picker.toggleAttribute("aria-invalid", text !== null);
  }

  function choose(next: File | null): void {
    if (!next) return;
    file = next;
    complain(next.size === 0 ? "This file is empty." : null);
    fill(chosen, el("strong", {}, next.name), ` ${bytes(next.size)}. Choose or drop another to replace it.`);
    drop.classList.add("is-chosen");
    // What the person typed is never overwritten.
    if (title.input.value === guessed) {
      guessed = titleFromFileName(next.name);
      title.input.value = guessed;
      title.complain(null);
    }
  }

  picker.addEventListener("change", () => choose(picker.files?.[0] ?? null));
  for (const kind of ["dragenter", "dragover"] as const) {
    drop.addEventListener(kind, (event) => {
      event.preventDefault();
      drop.classList.add("is-over");
    });
  }
  drop.addEventListener("dragleave", () => drop.classList.remove("is-over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("is-over");
    choose(event.dataTransfer?.files[0] ?? null);
  });
  element.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!file || file.size === 0) {
      complain(file ? "This file is empty." : "Choose a film first.");
      picker.focus();
    } else if (title.input.value.trim() === "") {
      title.complain("Give the film a title.");
      title.input.focus();
    } else {
      send({ file, title: title.input.value.trim(), description: description.input.value, visibility: visibility.value() });
    }
  });
  fill(chosen, el("strong", {}, "Choose a film"), " or drop it here");
  return element;
}
