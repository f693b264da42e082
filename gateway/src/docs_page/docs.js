// Shows an OpenAPI 3.1 document: every operation with parameters, bodies and answers, and every schema.
import { blocks, el, inline } from "./dom.js";
import { trying } from "./try.js";

const METHODS = ["get", "post", "put", "patch", "delete"];
const main = document.getElementById("main");
const contents = document.getElementById("contents");

start().catch((error) => main.replaceChildren(el("p", {}, `The document could not be read: ${error.message}`)));

async function start() {
  const answer = await fetch("/api/openapi.json", { headers: { accept: "application/json" } });
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  const api = await answer.json();
  document.getElementById("title").textContent = `${api.info.title} API ${api.info.version}`;
  const groups = byTag(api);
  main.replaceChildren(about(api), ...groups.map((group) => section(group, api)), schemas(api));
  contents.replaceChildren(...groups.flatMap(links), ...schemaLinks(api));
  document.getElementById("search").addEventListener("input", (event) => find(event.target.value));
  if (location.hash) document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
}

function byTag(api) {
  const groups = new Map((api.tags ?? []).map((tag) => [tag.name, { ...tag, operations: [] }]));
  for (const [path, item] of Object.entries(api.paths ?? {})) {
    for (const method of METHODS.filter((name) => item[name])) {
      const operation = item[method];
      const tag = operation.tags?.[0] ?? "other";
      if (!groups.has(tag)) groups.set(tag, { name: tag, operations: [] });
      const parameters = [...(item.parameters ?? []), ...(operation.parameters ?? [])].map((parameter) => resolved(parameter, api));
      groups.get(tag).operations.push({ ...operation, path, method, parameters, id: `${method}${path}` });
    }
  }
  return [...groups.values()].filter((group) => group.operations.length > 0);
}

function about(api) {
  return el("div", { class: "about" }, ...blocks(api.info.description));
}

function section(group, api) {
  const heading = el("h2", {}, group.name, " ", el("small", {}, group.description ?? ""));
  return el("section", {}, heading, ...group.operations.map((operation) => card(operation, api)));
}

function card(operation, api) {
  const heading = el("h3", {}, el("span", { class: `method ${operation.method}` }, operation.method), el("a", { class: "path", href: `#${operation.id}` }, operation.path));
  const text = [operation.summary, operation.description].filter(Boolean).join("\n\n");
  return el("article", { class: "card", id: operation.id }, heading, ...blocks(text), access(operation, api), ...parameters(operation), ...body(operation), ...answers(operation, api), trying(operation, (value) => resolved(value, api), accessToken));
}

function access(operation, api) {
  const ways = operation.security ?? api.security ?? [];
  const names = ways.map((way) => Object.keys(way).join(" and ") || "nobody signed in").filter((name, at, all) => all.indexOf(name) === at);
  const free = ways.length === 0 || names.join() === "nobody signed in";
  return el("p", { class: "lock" }, free ? "Open to everybody" : `With: ${names.join(", or ")}`);
}

function parameters(operation) {
  if (operation.parameters.length === 0) return [];
  const rows = operation.parameters.map((parameter) => {
    const example = parameter.example ?? parameter.schema?.example;
    const hint = example === undefined ? [] : [" ", el("span", { class: "soft" }, `such as ${JSON.stringify(example)}`)];
    return row(named(parameter.name, parameter.required), [el("span", { class: "soft" }, parameter.in), " ", ...type(parameter.schema)], [...inline(parameter.description ?? ""), ...hint]);
  });
  return [el("h4", {}, "Parameters"), el("table", {}, ...rows)];
}

function body(operation) {
  const content = Object.entries(operation.requestBody?.content ?? {});
  if (content.length === 0) return [];
  const rows = content.map(([kind, media]) => row(el("code", {}, kind), type(media.schema), [operation.requestBody.required ? "" : "may be left out"]));
  return [el("h4", {}, "Body"), el("table", {}, ...rows)];
}

function answers(operation, api) {
  const rows = Object.entries(operation.responses ?? {}).map(([status, given]) => {
    const answer = resolved(given, api);
    const shapes = Object.entries(answer.content ?? {}).flatMap(([kind, media]) => [...type(media.schema), " ", el("span", { class: "soft" }, kind), " "]);
    const headers = Object.keys(answer.headers ?? {});
    const extra = headers.length > 0 ? [" ", el("span", { class: "soft" }, `with ${headers.join(", ")}`)] : [];
    return row(el("span", { class: "status" }, status), [...inline(answer.description ?? ""), ...extra], shapes);
  });
  return [el("h4", {}, "Answers"), el("table", {}, ...rows)];
}

/** What a reference leads to, or the value itself. */
function resolved(value, api) {
  if (!value?.$ref) return value;
  const parts = value.$ref.slice(2).split("/").map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
  return parts.reduce((place, part) => place?.[part], api);
}

/** What was typed in above, or the token of whoever is signed in at the pages. */
function accessToken() {
  const typed = document.getElementById("token").value.trim();
  if (typed) return typed;
  try {
    return JSON.parse(localStorage.getItem("spool.session"))?.access_token ?? "";
  } catch {
    return "";
  }
}

function schemas(api) {
  const cards = Object.entries(api.components?.schemas ?? {}).map(([name, schema]) =>
    el("article", { class: "card", id: `schema-${name}` }, el("h3", {}, name), ...blocks(schema.description), shape(schema)),
  );
  return el("section", {}, el("h2", {}, "Schemas"), ...cards);
}

function shape(schema) {
  const properties = Object.entries(schema.properties ?? {});
  if (properties.length === 0) return el("p", {}, ...type(schema));
  const rows = properties.map(([name, property]) => {
    const example = property.example === undefined ? [] : [" ", el("span", { class: "soft" }, `such as ${JSON.stringify(property.example)}`)];
    return row(named(name, schema.required?.includes(name)), type(property), [...inline(property.description ?? ""), ...example]);
  });
  return el("table", {}, ...rows);
}

/** A schema in a few words, with links to the ones that have a name. */
function type(schema) {
  if (!schema) return ["anything"];
  if (schema.$ref) {
    const name = schema.$ref.split("/").pop();
    return [el("a", { href: `#schema-${name}` }, name)];
  }
  const choices = schema.oneOf ?? schema.anyOf;
  if (choices) return between(choices.map(type), " or ");
  if (schema.allOf) return between(schema.allOf.map(type), " and ");
  if (schema.enum) return between(schema.enum.map((value) => [el("code", {}, JSON.stringify(value))]), " or ");
  if (schema.type === "array") return ["list of ", ...type(schema.items)];
  const kinds = [].concat(schema.type ?? "anything").join(" or ");
  return [schema.format ? `${kinds} (${schema.format})` : kinds];
}

function between(parts, word) {
  return parts.flatMap((part, at) => (at === 0 ? part : [word, ...part]));
}

function named(name, required) {
  return required ? el("span", {}, el("code", {}, name), " ", el("span", { class: "need" }, "needed")) : el("code", {}, name);
}

function row(...cells) {
  return el("tr", {}, ...cells.map((cell) => el("td", {}, ...[].concat(cell))));
}

function links(group) {
  const each = group.operations.map((operation) =>
    el("a", { href: `#${operation.id}` }, el("span", { class: `method ${operation.method}` }, operation.method), " ", operation.path),
  );
  return [el("h2", {}, group.name), ...each];
}

function schemaLinks(api) {
  return [el("h2", {}, "Schemas"), ...Object.keys(api.components?.schemas ?? {}).map((name) => el("a", { href: `#schema-${name}` }, name))];
}

function find(text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  for (const card of main.querySelectorAll(".card")) {
    const said = card.textContent.toLowerCase();
    card.hidden = !words.every((word) => said.includes(word));
  }
  for (const group of main.querySelectorAll("section")) {
    group.hidden = !group.querySelector(".card:not([hidden])");
  }
}
