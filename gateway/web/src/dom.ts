// Builds elements. Text always goes in as text nodes, never as markup, so nothing a person typed can become code.

export type Child = Node | string | null | undefined | false;

type Value = string | number | boolean | null | undefined;
type Handlers = { [K in keyof HTMLElementEventMap]?: (event: HTMLElementEventMap[K]) => void };

export interface Props {
  readonly [attribute: string]: Value | Handlers;
  readonly on?: Handlers;
}

/** An element with attributes (`true` sets an empty one, `false` and `null` set none), listeners and children. */
export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  props: Props = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  apply(element, props);
  for (const [name, handler] of Object.entries(props.on ?? {})) {
    element.addEventListener(name, handler as EventListener);
  }
  add(element, children);
  return element;
}

/** The same for SVG shapes. */
export function svg<K extends keyof SVGElementTagNameMap>(
  tag: K,
  props: Props = {},
  ...children: Child[]
): SVGElementTagNameMap[K] {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  apply(element, props);
  add(element, children);
  return element;
}

/** Replaces what is inside. */
export function fill(parent: Element, ...children: Child[]): void {
  parent.replaceChildren();
  add(parent, children);
}

/** Sets the text only when it differs, so that screen readers are not told the same thing twice. */
export function write(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

function apply(element: Element, props: Props): void {
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false || typeof value === "object") continue;
    element.setAttribute(name, value === true ? "" : String(value));
  }
}

function add(parent: Element, children: Child[]): void {
  for (const child of children) {
    if (child !== null && child !== undefined && child !== false) parent.append(child);
  }
}
