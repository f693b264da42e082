// Dark or light: the system's wish until the button is pressed, then the person's.
import { el, fill } from "./dom.ts";
import { icon } from "./icons.ts";

const KEY = "spool.theme";
type Theme = "dark" | "light";

/** Draws the button that is there now. */
let redraw = () => {};
const systemDark = matchMedia("(prefers-color-scheme: dark)");

export function themeButton(): HTMLButtonElement {
  const button = el("button", { type: "button", class: "icon-button", "data-testid": "theme-toggle", on: { click: toggle } });
  const show = () => {
    const other = current() === "dark" ? "light" : "dark";
    button.setAttribute("aria-label", `Use the ${other} theme`);
    button.title = `Use the ${other} theme`;
    fill(button, icon(other === "light" ? "sun" : "moon"));
  };
  function toggle(): void {
    choose(current() === "dark" ? "light" : "dark");
    show();
  }
  systemDark.addEventListener("change", show);
  redraw = show;
  show();
  return button;
}

/** Uses what somebody has chosen; "system" is what the system wishes again. The button shows it when it is drawn anew. */
export function useTheme(wish: Theme | "system"): void {
  if (wish !== "system") choose(wish);
  else forget();
  redraw();
}

function current(): Theme {
  const chosen = document.documentElement.dataset["theme"];
  if (chosen === "dark" || chosen === "light") return chosen;
  return systemDark.matches ? "dark" : "light";
}

function forget(): void {
  delete document.documentElement.dataset["theme"];
  try {
    localStorage.removeItem(KEY);
  } catch {
    // Without storage nothing was kept.
  }
}

function choose(theme: Theme): void {
  document.documentElement.dataset["theme"] = theme;
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // Not kept for the next visit, but used for this one.
  }
}
