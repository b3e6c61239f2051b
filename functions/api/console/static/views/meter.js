// One meter: its curve over a day, a month or a year of local time, what is missing, and what can be done.

import { note, to } from "../address.js";
import { ApiError, all, get, put, segment } from "../api.js";
import { plot } from "../charts.js";
import { button, card, chip, empty, failure, field, fill, h, link, select, table } from "../elements.js";
import { actorOf, addDays, addMonths, countOf, dateIn, formatDate, formatInstant, formatMonth, formatNumber, fromLocalInput, isDate, isZone, readersZone, startOfDay, toLocalInput } from "../format.js";
import { may } from "../session.js";
import { calendar } from "./calendar.js";
import { exportsOf } from "./exports.js";
import { intervalOf } from "./meters.js";
import { upload } from "./upload.js";

const VALUES = { energy_kwh: ["Energy", "kWh"], power_kw: ["Power", "kW"], voltage_v: ["Voltage", "V"], current_a: ["Current", "A"] };
const SPANS = { day: "quarter_hour", month: "hour", year: "day" };
const STEPS = { quarter_hour: 900000, hour: 3600000, day: 86400000 };
const MOST_POINTS = 2000;
const MOST_OPEN_GAPS = 12;

const again = () => window.dispatchEvent(new Event("hashchange"));

export async function show(place, { rest: [id], query, signal }) {
  const path = `api/meters/${segment(id)}`;
  const meter = await known(path, signal);
  const tz = [query.get("tz"), meter?.timezone].find(isZone) ?? "UTC";
  const span = query.get("span") in SPANS ? query.get("span") : "day";
  const period = periodOf(span, isDate(query.get("date")) ? query.get("date") : dateIn(tz), tz);
  const value = query.get("value") in VALUES ? query.get("value") : "energy_kwh";
  const facts = meter && [meter.kind, meter.interval_seconds ? `a reading every ${intervalOf(meter)}` : "interval unknown", meter.timezone ?? "no time zone set"];
  place.append(h("div", { class: "title" }, h("div", {}, h("h1", {}, "Meter ", h("bdi", {}, id)), facts && h("p", { class: "muted" }, facts.join(", ")))));
  if (!meter) {
    place.append(empty("There is no meter with this id. ", link(to("meters"), "Look at all meters"), may("operator") ? " or upload its first readings." : "."));
    if (may("operator")) place.append(card("Upload readings", {}, upload(path, again)));
    return;
  }
  const curve = h("div", { class: "stack curve-place" });
  const complete = h("div");
  const versions = h("div");
  const at = query.get("reading");
  place.append(
    card("Readings", {}, controls({ span, period, value, tz }), curve),
    card("Completeness", { extra: h("span", { class: "muted" }, titleOf(span, period)) }, complete),
    card("History of one reading", {}, historyForm(at), versions),
    h("div", { class: "columns" }, may("operator") && meter.kind === "metered" && card("Upload readings", {}, upload(path, again)), card("Exports", {}, exportsOf(id, { period, tz, signal }))),
  );
  const gaps = meter.interval_seconds ? gapsOf(path, period, tz, signal) : Promise.resolve({ error: { code: "interval_unknown" } });
  const asked = { start: period.start, end: period.end, resolution: SPANS[span], tz, limit: 1440 };
  const reading = Date.parse(period.start) < Date.now() ? all(`${path}/readings`, asked, MOST_POINTS, signal) : Promise.resolve({ items: [] });
  // The curve first; where its gaps are takes longer to find out.
  const draw = (known) => fill(curve, async () => drawCurve((await reading).items, await known, { span, period, value, tz }), signal);
  draw({}).then(() => draw(gaps));
  fill(complete, async () => completeness(await gaps, { path, span, tz }), signal);
  if (at) fill(versions, () => versionsOf(path, at, signal), signal);
}

async function known(path, signal) {
  try {
    return await get(path, {}, signal);
  } catch (error) {
    if (error instanceof ApiError && [400, 404].includes(error.status)) return null;
    throw error;
  }
}

/** The local dates of a day, month or year, up to but without `to`, and the instants at which they begin. */
function periodOf(span, date, tz) {
  const from = span === "day" ? date : span === "month" ? `${date.slice(0, 7)}-01` : `${date.slice(0, 4)}-01-01`;
  const to = span === "day" ? addDays(from, 1) : addMonths(from, span === "month" ? 1 : 12);
  return { from, to, start: startOfDay(from, tz), end: startOfDay(to, tz) };
}

const titleOf = (span, { from }) => (span === "day" ? formatDate(from) : span === "month" ? formatMonth(from) : from.slice(0, 4));

function controls({ span, period, value, tz }) {
  const move = (steps) => note({ date: span === "day" ? addDays(period.from, steps) : addMonths(period.from, steps * (span === "month" ? 1 : 12)) });
  const spans = Object.keys(SPANS).map((name) => button(name[0].toUpperCase() + name.slice(1), () => note({ span: name, date: period.from }), { "aria-pressed": String(name === span) }));
  const zones = [...new Set([tz, "UTC", readersZone])].map((name) => [name, name]);
  return h(
    "div",
    { class: "filters" },
    h("div", { class: "segments", role: "group", "aria-label": "How long" }, spans),
    h("div", { class: "segments" }, button("←", () => move(-1), { "aria-label": `The ${span} before` }), button("→", () => move(1), { "aria-label": `The ${span} after` })),
    field("Date", h("input", { type: "date", ".value": period.from, onchange: (event) => event.target.value && note({ date: event.target.value }) })),
    field("Value", select(Object.entries(VALUES).map(([name, [title, unit]]) => [name, `${title}, ${unit}`]), value, (chosen) => note({ value: chosen }))),
    field("Time zone", select(zones, tz, (chosen) => note({ tz: chosen }))),
  );
}

/** What the service says of missing readings, or why it cannot; both the curve and the calendar show it. */
async function gapsOf(path, { from, to }, tz, signal) {
  const whole = { expected: 0, present: 0, missing: 0, surplus: 0, days: [], gaps: [] };
  try {
    // A quarter of a year at once: a whole year of minutes takes a while to read.
    for (let first = from; first < to; first = addMonths(first, 3)) {
      const last = addMonths(first, 3) < to ? addMonths(first, 3) : to;
      const part = await get(`${path}/completeness`, { from: first, to: last, tz }, signal);
      for (const name of ["expected", "present", "missing", "surplus"]) whole[name] += part[name];
      whole.days.push(...part.days);
      const joined = whole.gaps.at(-1)?.end === part.gaps[0]?.start && part.gaps.length && whole.gaps.length;
      if (joined) whole.gaps.at(-1).end = part.gaps.shift().end;
      whole.gaps.push(...part.gaps);
    }
    return whole;
  } catch (error) {
    if (error instanceof ApiError) return { error };
    throw error;
  }
}

function drawCurve(items, found, { span, period, value, tz }) {
  if (!items.length) return empty(`There are no readings for ${titleOf(span, period)}.`);
  const [title, unit] = VALUES[value];
  const points = items.map((item) => ({ x: Date.parse(item.timestamp), y: item[value] }));
  const [from, until] = [Date.parse(period.start), Date.parse(period.end)];
  const describe = (at) => {
    const item = items[at];
    const qualities = Object.entries(item.qualities).map(([name, count]) => `${formatNumber(count)} ${name}`);
    return [formatInstant(item.timestamp, tz), `${title}: ${formatNumber(item[value], 4)} ${unit}`, `${countOf(item.readings, "reading")}: ${qualities.join(", ")}`];
  };
  const pick = (at) => (span === "day" ? note({ reading: items[at].timestamp }) : note({ span: span === "year" ? "month" : "day", date: dateIn(tz, points[at].x) }));
  const shown = (found.gaps ?? []).map((gap) => ({ start: Date.parse(gap.start), end: Date.parse(gap.end) }));
  const step = STEPS[SPANS[span]] * (span === "year" ? 1.1 : 1);
  const sum = items.reduce((total, item) => total + (item.energy_kwh ?? 0), 0);
  return [
    plot({
      series: [{ points }],
      ...{ from, to: until, gaps: shown, describe, unit, pick, step, now: Date.now() },
      bars: value === "energy_kwh" && step,
      ticks: ticksOf(span, period, tz),
      label: `${title} in ${unit}; arrow keys move through the readings, Enter ${span === "day" ? "shows the history of one" : "looks closer"}`,
    }),
    h(
      "p",
      { class: "muted small" },
      `${formatNumber(sum, 3)} kWh in sum. `,
      shown.length ? `Red bands: ${countOf(shown.length, "gap")} without readings. ` : "",
      span === "day" ? "A click shows the history of the reading." : "A click looks closer.",
    ),
  ];
}

function ticksOf(span, { from, to }, tz) {
  if (span === "day") {
    const begin = Date.parse(startOfDay(from, tz));
    const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", timeZone: tz });
    return [0, 3, 6, 9, 12, 15, 18, 21].map((hour) => begin + hour * STEPS.hour).map((x) => ({ x, label: clock.format(x) }));
  }
  const ticks = [];
  for (let date = from; date < to; date = span === "month" ? addDays(date, 1) : addMonths(date, 1)) {
    const label = span === "month" ? String(Number(date.slice(8))) : new Date(`${date}T00:00:00Z`).toLocaleDateString(undefined, { month: "short", timeZone: "UTC" });
    ticks.push({ x: Date.parse(startOfDay(date, tz)), label });
  }
  return ticks;
}

/** Say how often the meter sends readings. */
function intervalForm(path) {
  const interval = select([1, 5, 15, 30, 60].map((minutes) => [String(60 * minutes), `${minutes} min`]), "900", null, { name: "interval" });
  const answer = h("div");
  const send = async (event) => {
    event.preventDefault();
    try {
      await put(path, { interval_seconds: Number(interval.value) });
      again();
    } catch (error) {
      answer.replaceChildren(failure(error));
    }
  };
  return h("form", { class: "stack", onsubmit: send }, h("div", { class: "filters" }, field("A reading every", interval), h("button", { type: "submit" }, "Set")), answer);
}

function completeness(found, { path, span, tz }) {
  if (found.error?.code === "interval_unknown") return [empty("How often this meter sends readings is not known, so nothing can be missed."), may("operator") && intervalForm(path)].filter(Boolean);
  if (found.error) throw found.error;
  const share = found.expected ? found.present / found.expected : 1;
  const percent = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 2, roundingMode: "floor" }).format(share);
  const counts = `${formatNumber(found.present)} of ${formatNumber(found.expected)} readings, ${formatNumber(found.missing)} missing`;
  const gaps = found.gaps.slice(0, 100).map((gap) => [formatInstant(gap.start, tz), formatInstant(gap.end, tz)]);
  const title = h("summary", {}, countOf(found.gaps.length, "gap"), gaps.length < found.gaps.length ? `, of which the first ${gaps.length}` : "");
  return [
    h("p", {}, h("strong", {}, percent), ` complete: ${counts}`, found.surplus ? `, ${formatNumber(found.surplus)} off the grid` : "", "."),
    h(
      "div",
      { class: span === "year" ? "stack" : "beside" },
      span !== "day" && calendar(found.days, (date) => note({ span: "day", date })),
      gaps.length > 0 && h("details", { open: span === "day" || gaps.length <= MOST_OPEN_GAPS }, title, table("Gaps", ["From", "Up to"], gaps)),
    ),
  ];
}

function historyForm(at) {
  const input = h("input", { type: "datetime-local", step: 1, name: "timestamp", required: true, ".value": at ? toLocalInput(Date.parse(at)) : "" });
  const look = (event) => {
    event.preventDefault();
    note({ reading: fromLocalInput(input.value) });
  };
  return h("form", { class: "filters", onsubmit: look }, field(`Timestamp, in ${readersZone}`, input), h("button", { type: "submit" }, "Show its versions"));
}

async function versionsOf(path, timestamp, signal) {
  const { items } = await get(`${path}/readings/history`, { timestamp, limit: 200 }, signal);
  if (!items.length) return empty(`There has never been a reading at ${formatInstant(timestamp)}.`);
  const rows = [...items].reverse().map((version) => [
    version.deleted ? chip("bad", "deleted") : version.outdated ? chip("warn", "outdated") : version.replaced_at ? chip("", "replaced") : chip("good", "counts"),
    version.deleted ? "–" : Object.entries(VALUES).filter(([name]) => version[name] !== null).map(([name, [, unit]]) => `${formatNumber(version[name], 6)} ${unit}`).join(", "),
    version.quality,
    formatInstant(version.created_at),
    formatInstant(version.recorded_at),
    actorOf(version.actor),
  ]);
  return table(`Versions of the reading at ${formatInstant(timestamp)}`, ["Version", "Values", "Quality", "Created", "Stored", "Who"], rows);
}
