// What stays around every page: the header with its links, the skip link, and the footer.
import { note } from "./announce.ts";
import { logout } from "./api/accounts.ts";
import { onChange, user } from "./api/session.ts";
import { el, fill } from "./dom.ts";
import { icon, type Icon } from "./icons.ts";
import { avatar } from "./parts/avatar.ts";
import { go, loginAddress, onArrival, reload } from "./router.ts";
import { themeButton } from "./theme.ts";
import { current as currentUpload, onUploadChange } from "./uploading.ts";

/** Puts the frame into the document and answers with the place for the pages. */
export function mountShell(root: HTMLElement): HTMLElement {
  const main = el("main", { id: "main", tabindex: "-1" });
  const skip = el("a", { class: "skip-link", href: "#main", on: { click: (event) => skipTo(event, main) } }, "Skip to content");
  root.append(skip, header(), main, footer());
  return main;
}

function header(): HTMLElement {
  const places = el("nav", { class: "places", "aria-label": "Main" });
  const account = el("div", { class: "account" });
  const draw = () => {
    fill(places, ...links());
    fill(account, themeButton(), ...accountControls());
    mark(places, account);
  };
  // What the frame shows of somebody: a token that was renewed changes nothing.
  const shown = () => {
    const { id, username, role, first_name, last_name, avatar_url } = user() ?? {};
    return JSON.stringify([id, username, role, first_name, last_name, avatar_url ?? null]);
  };
  let last = shown();
  onChange(() => {
    if (shown() === last) return;
    last = shown();
    draw();
  });
  onUploadChange(() => drawUpload(places));
  onArrival(() => {
    // The address to come back to is part of the sign-in link.
    if (!user()) draw();
    mark(places, account);
  });
  draw();
  const home = el(
    "a",
    { class: "brand", href: "/", "aria-label": "Spool, to the catalogue" },
    el("img", { src: "/logo.svg", alt: "", width: "34", height: "34" }),
    el("span", { class: "brand-name" }, "Spool"),
  );
  return el("header", { class: "bar" }, el("div", { class: "bar-inner" }, home, places, account));
}

function links(): HTMLElement[] {
  const signedIn = user() !== null;
  const all = [place("/", "film", "Catalogue"), place("/upload", "upload", "Upload")];
  all.push(signedIn ? place("/my", "reel", "My videos") : place(loginAddress(), "person", "Sign in"));
  if (user()?.role === "admin") all.push(place("/admin/users", "people", "Users"));
  return all;
}

function place(href: string, picture: Icon, text: string): HTMLElement {
  const path = href.split("?")[0] ?? href;
  return el("a", { class: "place", href, "data-path": path, "data-testid": `nav-${path.slice(1) || "home"}` }, icon(picture), el("span", {}, text));
}

function accountControls(): HTMLElement[] {
  const who = user();
  if (!who) {
    return [el("a", { class: "button button-small only-wide", href: "/register", "data-testid": "sign-up-link" }, "Create account")];
  }
  const leave = el("button", { type: "button", class: "button button-quiet button-small", "data-testid": "sign-out" }, "Sign out");
  leave.addEventListener("click", () => void signOut(leave));
  const name = el("span", { class: "visually-hidden" }, `Your account, ${who.username}`);
  const account = el("a", { class: "who", href: "/account", "data-path": "/account", "data-testid": "signed-in-as" }, avatar(who), name, el("span", { class: "only-wide", "aria-hidden": "true" }, who.username));
  return [account, leave];
}

async function signOut(button: HTMLButtonElement): Promise<void> {
  button.disabled = true;
  await logout();
  note("You are signed out.");
  if (location.pathname === "/") reload();
  else go("/");
}

function mark(places: HTMLElement, account: HTMLElement): void {
  for (const link of [places, account].flatMap((part) => [...part.querySelectorAll<HTMLElement>("[data-path]")])) {
    if (link.dataset["path"] === location.pathname) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  drawUpload(places);
}

/** A running upload goes on while one looks at other pages; the link to it says how far it is. */
function drawUpload(places: HTMLElement): void {
  const text = places.querySelector('[data-path="/upload"] span');
  const running = currentUpload();
  if (!text) return;
  const sending = running?.state === "sending";
  text.textContent = sending ? `${Math.floor((100 * running.sentBytes) / Math.max(1, running.totalBytes))} % sent` : "Upload";
}

function footer(): HTMLElement {
  return el(
    "footer",
    { class: "foot" },
    el("p", {}, "Spool remembers everything it was told, in order."),
    el(
      "p",
      { class: "foot-links" },
      el("a", { href: "/api/openapi.json", target: "_blank", rel: "noopener" }, "API description"),
      el("a", { href: "/licences.txt", target: "_blank", rel: "noopener" }, "Licences"),
    ),
  );
}

function skipTo(event: MouseEvent, main: HTMLElement): void {
  event.preventDefault();
  main.focus();
}
