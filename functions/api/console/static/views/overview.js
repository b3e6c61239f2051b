// What runs, what was decided today, and what needs attention.

import { to } from "../address.js";
import { all, get, inTurn } from "../api.js";
import { countBars, monthTicks, plot } from "../charts.js";
import { card, chip, empty, fill, h, link, table } from "../elements.js";
import { COMPONENT_NAMES, RULES, addDays, addMonths, countOf, formatDate, formatInstant, formatNumber, nameOf, titleOf, today } from "../format.js";
import { may } from "../session.js";

const MONTHS = 12;
const MOST_EVENTS = 2000;
const DAYS_OF_REFUSALS = 3;

export async function show(place, { signal }) {
  const day = today();
  const tiles = h("div", { class: "tiles" });
  const chart = h("div", { class: "stack trend" });
  const decided = h("div");
  const refusals = h("div");
  const attention = h("div", { class: "stack" });
  place.append(
    h("div", { class: "title" }, h("div", {}, h("h1", {}, "Overview"), h("p", { class: "muted" }, `${formatDate(day)}, days in UTC`))),
    tiles,
    card("Contracts with each component active", {}, chart),
    h(
      "div",
      { class: "columns" },
      h("div", { class: "view" }, card("Decided today", { extra: link(to("events"), "Event log") }, decided), card("Needs attention", {}, attention)),
      card(`Refused in the last ${DAYS_OF_REFUSALS} days`, {}, refusals),
    ),
  );
  fill(tiles, async () => tilesOf(await get("portfolio/counts", { on: day }, signal)), signal);
  fill(chart, () => months(day, signal), signal);
  fill(decided, () => verdicts(day, signal), signal);
  fill(refusals, () => refused(day, signal), signal);
  needsAttention(attention, signal);
}

function tilesOf({ on, components }) {
  return COMPONENT_NAMES.map((name) => {
    const { active, upcoming, ended } = components[name];
    return h(
      "a",
      { class: `card tile ${name}`, href: to("contracts", { component: name, on }) },
      h("span", { class: "muted" }, nameOf(name)),
      h("span", { class: "figure" }, formatNumber(active), h("small", {}, " active today")),
      h("span", { class: "muted small" }, `${formatNumber(upcoming)} to come, ${formatNumber(ended)} ended`),
    );
  });
}

async function months(day, signal) {
  const days = Array.from({ length: 2 * MONTHS + 1 }, (_, at) => (at === MONTHS ? day : addMonths(day, at - MONTHS)));
  // The first of this month and today may be one day.
  const asked = [...new Set([...days, addMonths(day, 0)])].sort();
  const counts = await inTurn(asked, (on) => get("portfolio/counts", { on }, signal));
  if (counts.every(({ components }) => COMPONENT_NAMES.every((name) => !components[name].active))) {
    return empty("No component is active in this time. ", link(to("contracts"), "Look at the contracts"));
  }
  const x = asked.map((on) => Date.parse(on));
  const series = COMPONENT_NAMES.map((name) => ({ className: name, points: counts.map(({ components }, at) => ({ x: x[at], y: components[name].active })) }));
  const rows = COMPONENT_NAMES.map((name) => counts.map(({ components }) => components[name].active));
  const label = "Active components from twelve months ago to twelve months ahead; arrow keys move through the months";
  const dayOf = (on) => (on === day ? `Today, ${formatDate(day)}` : formatDate(on));
  const describe = (at) => [dayOf(asked[at]), ...COMPONENT_NAMES.map((name, index) => `${nameOf(name)}: ${formatNumber(rows[index][at])}`)];
  const cells = asked.map((on, at) => [dayOf(on), ...rows.map((row) => formatNumber(row[at]))]);
  const ticks = monthTicks(x[0] - 1, x.at(-1), 900);
  return [
    plot({ series, from: x[0], to: x.at(-1), ticks, now: Date.parse(day), nowLabel: "Today", describe, label }),
    h("p", { class: "legend" }, COMPONENT_NAMES.map((name) => chip(`component ${name}`, nameOf(name))), h("span", {}, "Dashed: what is known today of the months to come")),
    h("details", {}, h("summary", {}, "As a table"), table("Active components by month", ["Day", ...COMPONENT_NAMES.map(nameOf)], cells)),
  ];
}

async function verdicts(day, signal) {
  const { items, complete } = await all("events", { day }, MOST_EVENTS, signal);
  if (!items.length) return empty("No event has been decided today.");
  const counts = new Map();
  for (const { code } of items) counts.set(code, (counts.get(code) ?? 0) + 1);
  const rows = [...counts].sort(([a, one], [b, two]) => (a === "accepted" ? -1 : b === "accepted" ? 1 : two - one));
  const line = ([code, count]) => {
    const accepted = code === "accepted";
    return [[h("a", { href: to("events", { day, code }) }, RULES[code] ?? code), !accepted && h("code", { class: "muted" }, code)], count, accepted ? code : "refused"];
  };
  return [countBars(rows.map(line)), h("p", { class: "muted small" }, complete ? countOf(items.length, "event") : `The newest ${formatNumber(items.length)} events; there were more`)];
}

/** Each part on its own: one that fails hides nothing of the others. */
function needsAttention(place, signal) {
  const parts = [may("admin") && ["Dead letters", () => deadLetters(signal)], ["Your failed exports", () => failedExports(signal)]];
  for (const [title, load] of parts.filter(Boolean)) {
    const content = h("div");
    place.append(h("div", {}, h("h3", {}, title), content));
    fill(content, load, signal);
  }
}

async function refused(day, signal) {
  const days = Array.from({ length: DAYS_OF_REFUSALS }, (_, back) => addDays(day, -back));
  const pages = await Promise.all(days.map((one) => all("events", { day: one, status: "rejected", limit: 200 }, 200, signal)));
  const items = pages.flatMap((page) => page.items);
  if (!items.length) return empty("None.");
  const shown = items.slice(0, 8).map((event) => [
    link(to("contracts", event.contract_number, { known_at: event.recorded_at, event: event.key }), event.contract_number),
    [h("div", {}, titleOf(event.type), " ", formatDate(event.date)), h("div", { class: "muted small" }, RULES[event.code] ?? event.message)],
    formatInstant(event.received_at),
  ]);
  const many = pages.every((page) => page.complete) ? formatNumber(items.length) : `More than ${formatNumber(items.length)}`;
  return [table("The newest refused events", ["Contract", "Why", "Received"], shown), h("p", {}, `${many} in all. `, link(to("events", { status: "rejected" }), "Look through them day by day"))];
}

async function deadLetters(signal) {
  const { items, next_cursor: more } = await get("dead-letters", {}, signal);
  if (!items.length) return empty("None.");
  return h("p", {}, chip("bad", `${formatNumber(items.length)}${more ? " or more" : ""}`), " ", link(to("dead-letters"), "See why, and send them again"));
}

async function failedExports(signal) {
  const { items } = await get("api/export", { status: "failed", limit: 5 }, signal);
  if (!items.length) return empty("None.");
  const rows = items.map((job) => [
    job.kind === "readings" ? link(to("meters", job.smart_meter_id), job.smart_meter_id) : "Contracts",
    [h("code", {}, job.error.code), h("div", { class: "muted" }, job.error.message)],
    formatInstant(job.updated_at),
  ]);
  return table("Your newest failed exports", ["Meter", "Why", "When"], rows);
}
