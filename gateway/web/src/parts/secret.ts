// Something that is shown once, with a button that copies it.
import { note } from "../announce.ts";
import { el } from "../dom.ts";

export function secret(name: string, value: string): HTMLElement {
  const shown = el("code", { class: "secret-value", "data-testid": "secret" }, value);
  const copy = el("button", { type: "button", class: "button", "data-testid": "copy-secret" }, "Copy");
  copy.addEventListener("click", () => void copied(shown, value));
  return el(
    "div",
    { class: "secret", role: "status" },
    el("p", {}, `${name} is shown now and never again: copy it to where it is needed.`),
    el("div", { class: "secret-row" }, shown, copy),
  );
}

async function copied(shown: HTMLElement, value: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(value);
    note("Copied.");
  } catch {
    // There is no clipboard without https, or it was forbidden: what is selected can be copied by hand.
    getSelection()?.selectAllChildren(shown);
    note("Selected: copy it by hand.");
  }
}
