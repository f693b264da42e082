// Who may see a video: three choices with what each means.
import type { Visibility } from "../api/types.ts";
import { el } from "../dom.ts";

const CHOICES: [Visibility, string, string][] = [
  ["public", "Public", "Listed in the catalogue for everyone."],
  ["unlisted", "Unlisted", "Anyone with the link may watch."],
  ["private", "Private", "Only you may watch."],
];

let count = 0;

export function visibilityChoice(chosen: Visibility): { element: HTMLElement; value: () => Visibility } {
  const name = `visibility-${++count}`;
  const options = CHOICES.map(([value, title, meaning]) => {
    const input = el("input", { type: "radio", name, value, checked: value === chosen, "data-testid": `visibility-${value}` });
    return { input, element: el("label", { class: "choice" }, input, el("span", { class: "choice-title" }, title), el("span", { class: "choice-text" }, meaning)) };
  });
  const element = el("fieldset", { class: "choices" }, el("legend", {}, "Who may watch"), ...options.map((option) => option.element));
  const value = () => (options.find((option) => option.input.checked)?.input.value ?? chosen) as Visibility;
  return { element, value };
}
