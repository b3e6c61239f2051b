// Contracts: all, or those with a component active on a day; one of them is shown by contract.js.

import { go, note, to } from "../address.js";
import { get } from "../api.js";
import { button, card, chip, empty, field, h, link, select, table } from "../elements.js";
import { COMPONENT_NAMES, formatDate, formatInstant, isDate, nameOf, today } from "../format.js";
import { paged } from "../paged.js";

export async function show(place, route) {
  if (route.rest.length) {
    const contract = await import("./contract.js");
    return contract.show(place, route);
  }
  const { query, signal } = route;
  const [component, on] = [query.get("component"), isDate(query.get("on")) ? query.get("on") : null];
  const number = h("input", { type: "search", name: "number", placeholder: "1001", autocomplete: "off", required: true, maxlength: 64 });
  const search = (event) => {
    event.preventDefault();
    go("contracts", number.value.trim());
  };
  const chosen = (changes) => note({ component, on: on || today(), ...changes });
  const filters = h(
    "div",
    { class: "filters" },
    h("form", { class: "filters", role: "search", onsubmit: search }, field("Contract number", number), h("button", { type: "submit" }, "Open")),
    field("Component", select([["", "Any"], ...COMPONENT_NAMES.map((name) => [name, nameOf(name)])], component, (value) => chosen({ component: value }))),
    field("Active on", h("input", { type: "date", ".value": on ?? "", onchange: (event) => (event.target.value ? chosen({ on: event.target.value }) : go("contracts")) })),
    (component || on) && button("Show all", () => go("contracts"), { class: "quiet" }),
  );
  const active = component || on;
  const title = active ? `${component ? nameOf(component) : "Any component"} active on ${formatDate(on || today())}` : "All contracts";
  place.append(h("div", { class: "title" }, h("h1", {}, "Contracts")), card("Find", {}, filters), card(title, {}, active ? listActive(component, on, signal) : listAll(signal)));
}

const listAll = (signal) =>
  paged(
    (cursor) => get("contract", { limit: 50, cursor }, signal),
    (items) => table("Contracts by number", ["Contract", "Components", "Created"], items.map(rowOf)),
    () => empty("There is no contract yet. POST /contract creates one; the ", link("docs", "documentation"), " shows how."),
    signal,
  );

const rowOf = (contract) => [
  link(to("contracts", contract.contract_number), contract.contract_number),
  contract.components.map((name) => [chip(`component ${name}`, nameOf(name)), " "]),
  formatInstant(contract.created_at),
];

const listActive = (component, on, signal) =>
  paged(
    (cursor) => get("portfolio", { component, on, limit: 50, cursor }, signal),
    (items) =>
      table(
        "Components active on the day",
        ["Contract", "Component", "Start", "End"],
        items.map((span) => [
          link(to("contracts", span.contract_number), span.contract_number),
          chip(`component ${span.component}`, nameOf(span.component)),
          formatDate(span.start),
          span.end ? formatDate(span.end) : "open",
        ]),
      ),
    () => empty("None is active on this day."),
    signal,
  );
