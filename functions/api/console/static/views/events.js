// What was decided on a day, all contracts together, the newest first.

import { note, to } from "../address.js";
import { get } from "../api.js";
import { button, card, chip, empty, field, h, link, select, table } from "../elements.js";
import { COMPONENT_NAMES, RULES, actorOf, addDays, formatDate, formatInstant, isDate, nameOf, titleOf, today } from "../format.js";
import { paged } from "../paged.js";

export async function show(place, { query, signal }) {
  const day = isDate(query.get("day")) ? query.get("day") : today();
  const filter = Object.fromEntries(["status", "code", "component"].map((name) => [name, query.get(name) || undefined]));
  const choose = (name, pairs) => select([["", "Any"], ...pairs], filter[name], (value) => note({ [name]: value }));
  const date = h("input", { type: "date", ".value": day, max: today(), onchange: (event) => event.target.value && note({ day: event.target.value }) });
  const filters = h(
    "div",
    { class: "filters" },
    field("Day, in UTC", date),
    h("div", { class: "segments" }, button("← Day before", () => note({ day: addDays(day, -1) })), button("Day after →", () => note({ day: addDays(day, 1) }), { disabled: day >= today() })),
    field("Verdict", choose("status", [["accepted", "Accepted"], ["rejected", "Refused"]])),
    field("Rule", choose("code", Object.entries(RULES).map(([code, rule]) => [code, code === "accepted" ? rule : `${code}: ${rule}`]))),
    field("Component", choose("component", COMPONENT_NAMES.map((name) => [name, nameOf(name)]))),
  );
  const list = paged(
    (cursor) => get("events", { day, ...filter, limit: 50, cursor }, signal),
    (items) => table("Decided events, the newest first", ["Received", "Contract", "Event", "Verdict", "Who"], items.map(rowOf)),
    () => empty("No event was decided on this day", Object.values(filter).some(Boolean) ? " that these filters show." : "."),
    signal,
  );
  const again = button("Read again", () => window.dispatchEvent(new Event("hashchange")), { class: "quiet" });
  place.append(h("div", { class: "title" }, h("h1", {}, "Event log")), card("Which events", {}, filters), card(formatDate(day), { extra: again }, list));
}

const rowOf = (event) => [
  formatInstant(event.received_at),
  link(to("contracts", event.contract_number, { known_at: event.recorded_at, event: event.key }), event.contract_number),
  [h("div", { class: "what" }, titleOf(event.type), " ", h("strong", {}, formatDate(event.date))), h("div", { class: "muted small" }, `created ${formatInstant(event.created_at)}`)],
  event.status === "accepted" ? chip("good", "accepted") : [chip("bad", event.code), h("div", { class: "muted small" }, event.message)],
  actorOf(event.actor),
];
