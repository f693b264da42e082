// Windows over the page: one that holds anything, and one that asks before something is lost.
import { asProblem } from "../api/problem.ts";
import { el, write, type Child } from "../dom.ts";

export interface Question {
  title: string;
  text: string;
  /** What the button that does it says. */
  sure: string;
  /** What the button that does nothing says. */
  keep: string;
  testid: string;
  act: () => Promise<void>;
}

/** Asks, acts, and resolves with whether it was done. */
export function confirmed(question: Question): Promise<boolean> {
  const alert = el("p", { class: "form-error", role: "alert", hidden: true });
  const sure = el("button", { type: "button", class: "button button-danger", "data-testid": question.testid }, question.sure);
  const dialog = frame(question.title, el("p", {}, question.text), alert, el("div", { class: "actions" }, sure, closer(question.keep)));
  sure.addEventListener("click", async () => {
    sure.disabled = true;
    try {
      await question.act();
      dialog.close("done");
    } catch (thrown) {
      alert.hidden = false;
      write(alert, asProblem(thrown).detail);
      sure.disabled = false;
    }
  });
  return opened(dialog);
}

export function frame(title: string, ...content: Child[]): HTMLDialogElement {
  const heading = el("h2", { id: "dialog-title" }, title);
  return el("dialog", { class: "dialog", "aria-labelledby": "dialog-title" }, heading, ...content);
}

export function closer(text: string): HTMLButtonElement {
  const button = el("button", { type: "button", class: "button button-quiet" }, text);
  button.addEventListener("click", () => button.closest("dialog")?.close());
  return button;
}

/** Shows it until it is closed, and resolves with whether what it is for was done. */
export function opened(dialog: HTMLDialogElement): Promise<boolean> {
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "done");
    });
  });
}
