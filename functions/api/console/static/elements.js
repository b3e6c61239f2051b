// Builds the page. Text becomes text nodes and never markup, so what callers have sent can do nothing here.

const SVG = "http://www.w3.org/2000/svg";

function build(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name.startsWith(".")) element[name.slice(1)] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== undefined && child !== null && child !== false));
  return element;
}

/** An HTML element: attributes by name, `onclick` listens, `.value` sets the property, children are elements or text. */
export const h = (tag, attributes, ...children) => build(document.createElement(tag), attributes, children);

/** The same for SVG. */
export const s = (tag, attributes, ...children) => build(document.createElementNS(SVG, tag), attributes, children);

let ids = 0;
export const freshId = () => `e${(ids += 1)}`;

export const button = (label, onclick, more = {}) => h("button", { type: "button", onclick, ...more }, label);

export const link = (href, ...children) => h("a", { href }, ...children);

/** A labelled control; `hint` is read with it. */
export function field(label, control, hint) {
  control.id ||= freshId();
  const note = hint && h("small", { id: freshId() }, hint);
  if (note) control.setAttribute("aria-describedby", note.id);
  return h("div", { class: "field" }, h("label", { for: control.id }, label), control, note);
}

/** A drop-down of `[value, label]` pairs. */
export function select(pairs, chosen, onchange, more = {}) {
  const options = pairs.map(([value, label]) => h("option", { value, ".selected": value === (chosen ?? "") }, label));
  return h("select", { onchange: onchange && ((event) => onchange(event.target.value)), ...more }, options);
}

/** A card with a heading; `extra` stands beside it. */
export function card(title, { extra, level = 2, className = "" } = {}, ...children) {
  const heading = h(`h${level}`, { id: freshId() }, title);
  const top = h("div", { class: "card-top" }, heading, extra && h("div", { class: "card-extra" }, extra));
  return h("section", { class: `card ${className}`, "aria-labelledby": heading.id }, top, ...children);
}

/** A table whose rows become cards on a narrow screen; `columns` are names, `rows` arrays of cells. */
export function table(caption, columns, rows, attributesOfRow = () => ({})) {
  const cells = (row) => row.map((cell, at) => h("td", { "data-label": columns[at] }, h("div", {}, cell ?? "–")));
  return h(
    "table",
    { class: "list" },
    h("caption", { class: "unseen" }, caption),
    h("thead", {}, h("tr", {}, columns.map((name) => h("th", { scope: "col" }, name || h("span", { class: "unseen" }, "Actions"))))),
    h("tbody", {}, rows.map((row, at) => h("tr", attributesOfRow(at), cells(row)))),
  );
}

export const chip = (kind, ...text) => h("span", { class: `chip ${kind}` }, ...text);

export const loading = (what = "Loading…") => h("p", { class: "loading", role: "status" }, what);

export const empty = (...text) => h("p", { class: "empty" }, ...text);

/** What went wrong, in the service's words, with its details and the id that finds it in the log. */
export function failure(error, retry) {
  const lines = error.details?.length > 1 ? h("ul", {}, error.details.map((one) => h("li", {}, `${one.field}: ${one.message}`))) : null;
  return h(
    "div",
    { class: "failure", role: "alert" },
    h("p", {}, h("strong", {}, error.status ? `${error.code} ` : ""), error.message),
    lines,
    error.requestId && h("p", { class: "muted small" }, `Request ${error.requestId}`),
    retry && button("Try again", retry),
  );
}

/** Show `children` in `place`; charts draw themselves at once, so that nothing below them moves later. */
export function put(place, ...children) {
  place.replaceChildren(...children);
  for (const chart of place.querySelectorAll(".chart")) chart.dispatchEvent(new Event("shown"));
}

/** Fill `place` with what `load` makes, and show meanwhile that it loads, or what went wrong. */
export async function fill(place, load, signal) {
  place.className ||= "stack";
  if (!place.childNodes.length) place.replaceChildren(loading());
  place.setAttribute("aria-busy", "true");
  try {
    const made = await load();
    if (!signal?.aborted) put(place, ...[made].flat());
  } catch (error) {
    if (error.name !== "AbortError" && !signal?.aborted) place.replaceChildren(failure(error, () => fill(place, load, signal)));
  } finally {
    place.removeAttribute("aria-busy");
  }
}

/** Show a sentence at the corner for some seconds; screen readers read it. */
export function toast(text) {
  const shown = h("p", { class: "toast" }, text);
  document.querySelector(".toasts").append(shown);
  setTimeout(() => shown.remove(), 6000);
}

/** A modal dialog; the promise gives what `close` was called with, or undefined. */
export function dialog(title, make) {
  const opener = document.activeElement;
  return new Promise((resolve) => {
    const heading = h("h2", { id: freshId() }, title);
    const shown = h("dialog", { "aria-labelledby": heading.id });
    let answer;
    const close = (value) => {
      answer = value;
      shown.close();
    };
    shown.append(heading, make(close));
    shown.addEventListener("close", () => {
      shown.remove();
      opener?.focus?.();
      resolve(answer);
    });
    document.body.append(shown);
    shown.showModal();
  });
}

/** Make one tab stop of many elements; arrow keys, Home and End move among them. */
export function roving(container, elements) {
  const move = (to) => {
    const target = elements[Math.min(Math.max(to, 0), elements.length - 1)];
    for (const element of elements) element.setAttribute("tabindex", element === target ? "0" : "-1");
    return target;
  };
  if (!elements.length) return;
  move(0);
  container.addEventListener("keydown", (event) => {
    const at = elements.indexOf(event.target.closest("[tabindex]"));
    const steps = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: elements.length - 1 };
    if (at < 0 || !(event.key in steps)) return;
    event.preventDefault();
    move(steps[event.key]).focus();
  });
}
