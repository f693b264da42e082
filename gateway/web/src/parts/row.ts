// One row of a list: what it is, a line or two about it, and what can be done with it.
import { el, type Child } from "../dom.ts";

export interface RowParts {
  title: Child[];
  lines: (string | null)[];
  actions?: Child[];
}

export function row({ title, lines, actions = [] }: RowParts): HTMLElement {
  const said = lines.filter((line) => line !== null).map((line) => el("p", { class: "row-line" }, line));
  const text = el("div", { class: "row-text" }, el("p", { class: "row-title" }, ...title), ...said);
  return el("div", { class: "row-inner" }, text, actions.length > 0 ? el("div", { class: "row-actions" }, ...actions) : null);
}

export function tag(text: string, kind: "plain" | "good" | "bad" = "plain"): HTMLElement {
  return el("span", { class: kind === "plain" ? "tag" : `tag tag-${kind}` }, text);
}

/** A small button in a row; `label` says what it is about to those who do not see the row. */
export function rowButton(text: string, label: string, testid: string, act: () => void): HTMLButtonElement {
  const button = el("button", { type: "button", class: "button button-quiet button-small", "aria-label": label, "data-testid": testid }, text);
  button.addEventListener("click", act);
  return button;
}
