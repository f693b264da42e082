// Builds elements, and shows Markdown as far as ours goes: headings, lists, paragraphs, `code` and **weight**.

export function el(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(key, value);
    else if (value !== false) element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}

export function blocks(text) {
  const parts = (text ?? "").split(/\n\s*\n/).filter((part) => part.trim() !== "");
  return parts.map((part) => {
    const heading = /^(#+) (.*)$/s.exec(part);
    if (heading) return el(heading[1].length === 1 ? "h2" : "h3", {}, ...inline(heading[2]));
    if (!part.startsWith("- ")) return el("p", {}, ...inline(part));
    return el("ul", {}, ...part.slice(2).split(/\n- /).map((item) => el("li", {}, ...inline(item))));
  });
}

/** The pieces of one line. */
export function inline(text) {
  return text.split(/(`[^`]+`|\*\*[^*]+\*\*)/).map((piece) => {
    if (piece.startsWith("`") && piece.length > 2) return el("code", {}, piece.slice(1, -1));
    return piece.startsWith("**") && piece.length > 4 ? el("strong", {}, piece.slice(2, -2)) : piece;
  });
}
