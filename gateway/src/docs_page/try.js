// Tries an operation from the page: a form for its parameters and body, and what came back.
import { el } from "./dom.js";

/** Folded until somebody wants it; the form is made then. `resolve` follows a reference. */
export function trying(operation, resolve, token) {
  const details = el("details", { class: "try" }, el("summary", {}, "Try it"));
  details.addEventListener("toggle", () => details.querySelector("form") ?? details.append(...form(operation, resolve, token)), { once: true });
  return details;
}

function form(operation, resolve, token) {
  const answer = el("div", { class: "answer", role: "status" });
  const parameters = operation.parameters.map((parameter) => ({ ...parameter, input: input(parameter) }));
  const body = bodyOf(operation, resolve);
  const send = el("button", { type: "submit" }, "Send");
  const element = el("form", {}, ...parameters.map(({ name, input: field, required }) => labelled(name, field, required)), ...body.fields, send);
  element.addEventListener("submit", async (event) => {
    event.preventDefault();
    send.disabled = true;
    answer.replaceChildren(el("p", { class: "soft" }, "Waiting for the answer …"));
    try {
      answer.replaceChildren(...(await shown(await ask(operation, parameters, body, token()))));
    } catch (error) {
      answer.replaceChildren(el("p", { class: "need" }, `No answer: ${error.message}`));
    } finally {
      send.disabled = false;
    }
  });
  return [element, answer];
}

function ask(operation, parameters, body, token) {
  const headers = new Headers({ accept: "application/json, */*" });
  const query = new URLSearchParams();
  let path = operation.path;
  for (const { name, in: place, input: field } of parameters) {
    if (place === "path") path = path.replace(`{${name}}`, encodeURIComponent(field.value));
    else if (field.value !== "" && place === "query") query.set(name, field.value);
    else if (field.value !== "" && place === "header") headers.set(name, field.value);
  }
  if (token) headers.set("authorization", `Bearer ${token}`);
  if (body.type) headers.set("content-type", body.type);
  const address = query.size > 0 ? `${path}?${query}` : path;
  return fetch(address, { method: operation.method.toUpperCase(), headers, cache: "no-store", body: body.value() });
}

async function shown(response) {
  const kind = response.headers.get("content-type") ?? "";
  const isText = /json|text|mpegurl|xml/.test(kind);
  const bytes = await response.arrayBuffer();
  const text = isText ? new TextDecoder().decode(bytes) : bytes.byteLength > 0 ? `${bytes.byteLength} bytes of ${kind}` : "";
  const headers = [...response.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
  return [
    el("p", {}, el("span", { class: `status ${response.ok ? "get" : "delete"}` }, `${response.status} ${response.statusText}`)),
    scrolled("Headers of the answer", headers),
    scrolled("Body of the answer", kind.includes("json") ? pretty(text) : text),
  ];
}

/** What may be too long for its place can be reached, and so scrolled, with the keyboard. */
function scrolled(name, text) {
  return el("pre", { tabindex: "0", role: "region", "aria-label": name }, text);
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

/** The fields of a body, and what they come to when it is sent. */
function bodyOf(operation, resolve) {
  const [type, media] = Object.entries(operation.requestBody?.content ?? {})[0] ?? [];
  if (!type) return { fields: [], value: () => undefined };
  if (type === "multipart/form-data") return formOf(resolve(media.schema));
  const text = el("textarea", { rows: "8", spellcheck: "false" });
  text.value = media.example === undefined ? "" : JSON.stringify(media.example, null, 2);
  return { type, fields: [labelled("Body", text, operation.requestBody.required)], value: () => text.value || undefined };
}

function formOf(schema) {
  const parts = Object.entries(schema.properties ?? {}).map(([name, property]) => {
    const isFile = property.format === "binary";
    return { name, isFile, field: el("input", { type: isFile ? "file" : "text" }) };
  });
  const value = () => {
    const form = new FormData();
    for (const { name, isFile, field } of parts) {
      if (isFile && field.files[0]) form.set(name, field.files[0]);
      else if (!isFile && field.value !== "") form.set(name, field.value);
    }
    return form;
  };
  return { fields: parts.map(({ name, field }) => labelled(name, field, schema.required?.includes(name))), value };
}

function input(parameter) {
  const example = parameter.example ?? parameter.schema?.example;
  return el("input", { type: "text", placeholder: example === undefined ? "" : String(example), autocomplete: "off", required: parameter.required ? "" : false });
}

function labelled(name, field, required) {
  return el("label", {}, el("span", {}, name, ...(required ? [" ", el("span", { class: "need" }, "needed")] : [])), field);
}
