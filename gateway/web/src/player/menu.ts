// A menu of choices above a button, usable by mouse, touch and keyboard (arrows, Home, End, Escape).
import { el, fill, write } from "../dom.ts";
import { icon, type Icon } from "../icons.ts";

export interface Choice {
  value: string;
  label: string;
  /** A second, quieter text. */
  detail?: string;
  checked: boolean;
  disabled?: boolean;
}

export interface MenuOptions {
  name: string;
  icon: Icon;
  testid: string;
  opened?: () => void;
  chosen: (value: string) => void;
  signal: AbortSignal;
}

export interface Menu {
  element: HTMLElement;
  show: (choices: Choice[], summary: string) => void;
}

export function menu(options: MenuOptions): Menu {
  const summary = el("span", { class: "menu-summary" });
  const button = el("button", { type: "button", class: "player-button", "aria-haspopup": "menu", "aria-expanded": "false", title: options.name, "data-testid": `${options.testid}-button` }, icon(options.icon), summary);
  const list = el("div", { class: "menu-list", role: "menu", "aria-label": options.name, hidden: true, "data-testid": `${options.testid}-menu` });
  const element = el("div", { class: "menu" }, button, list);
  let drawn = "";

  const items = () => [...list.querySelectorAll<HTMLElement>('[role="menuitemradio"]:not([aria-disabled="true"])')];
  const isOpen = () => !list.hidden;

  function open(): void {
    list.hidden = false;
    button.setAttribute("aria-expanded", "true");
    options.opened?.();
    (items().find((item) => item.getAttribute("aria-checked") === "true") ?? items()[0])?.focus();
  }

  function close(focusButton: boolean): void {
    if (!isOpen()) return;
    list.hidden = true;
    button.setAttribute("aria-expanded", "false");
    if (focusButton) button.focus();
  }

  function move(step: number): void {
    const all = items();
    const at = all.indexOf(document.activeElement as HTMLElement);
    all[(at + step + all.length) % all.length]?.focus();
  }

  button.addEventListener("click", () => (isOpen() ? close(true) : open()));
  button.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowUp" && event.key !== "ArrowDown") return;
    event.preventDefault();
    event.stopPropagation();
    open();
  });
  list.addEventListener("keydown", (event) => {
    const moves: Record<string, () => void> = {
      ArrowDown: () => move(1),
      ArrowUp: () => move(-1),
      Home: () => items()[0]?.focus(),
      End: () => items().at(-1)?.focus(),
      Escape: () => close(true),
      Tab: () => close(true),
    };
    const act = moves[event.key];
    event.stopPropagation();
    if (!act) return;
    event.preventDefault();
    act();
  });
  document.addEventListener("pointerdown", (event) => event.target instanceof Node && !element.contains(event.target) && close(false), { signal: options.signal });

  function item(choice: Choice): HTMLElement {
    const made = el(
      "button",
      {
        type: "button",
        class: "menu-item",
        role: "menuitemradio",
        tabindex: "-1",
        "aria-checked": String(choice.checked),
        "aria-disabled": choice.disabled ? "true" : null,
        "data-value": choice.value,
        "data-testid": `${options.testid}-option`,
      },
      icon("check"),
      el("span", {}, choice.label),
      choice.detail ? el("span", { class: "menu-detail" }, choice.detail) : null,
    );
    made.addEventListener("click", () => {
      if (choice.disabled) return;
      options.chosen(choice.value);
      close(true);
    });
    return made;
  }

  function show(choices: Choice[], text: string): void {
    button.setAttribute("aria-label", `${options.name}: ${text}`);
    write(summary, text);
    const wanted = JSON.stringify(choices);
    if (wanted === drawn) return;
    drawn = wanted;
    // The menu may be open while renditions appear: the focus stays on the same choice.
    const focused = list.contains(document.activeElement) ? (document.activeElement as HTMLElement).dataset["value"] : undefined;
    fill(list, ...choices.map(item));
    if (focused !== undefined) (items().find((each) => each.dataset["value"] === focused) ?? items()[0])?.focus();
  }

  return { element, show };
}
