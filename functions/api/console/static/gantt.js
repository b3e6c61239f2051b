// The lanes of a contract: a bar for what a component's timeline says, and a mark for each decided event.

import { monthTicks, responsive, tip } from "./charts.js";
import { chip, freshId, h, roving, s } from "./elements.js";
import { RULES, actionOf, actorOf, formatDate, formatInstant, nameOf, occurrenceOf, titleOf, today } from "./format.js";

const LANE = { title: 22, bar: 16, row: 19, below: 16 };
const AXIS = 26;
const SIDE = 12;
const MOST_ROWS = 6;
const LETTER = 6.6;
const DAY = 86400000;

const at = (date) => Date.parse(`${date}T00:00:00Z`);

/** Draw lanes. `marks` are rows of the trail, those that are voided with `voided: true` and later ones than asked about with `later: true`. */
export function gantt({ timeline, marks, chosen, onchoose }) {
  const dates = [...marks.map((mark) => mark.date), ...Object.values(timeline).flatMap((span) => [span.start, span.end])].filter(Boolean).map(at);
  const now = at(today());
  const [low, high] = [Math.min(now, ...dates), Math.max(now, ...dates)];
  const pad = Math.max((high - low) * 0.06, 20 * DAY);
  const [from, to] = [low - pad, high + pad];
  return responsive((place, width) => {
    const x = (instant) => SIDE + ((instant - from) / (to - from)) * (width - 2 * SIDE);
    let top = AXIS;
    const lanes = Object.entries(timeline).map(([component, span]) => {
      const lane = { component, span, top, rows: arrange(marks.filter((mark) => mark.component === component), x, width) };
      const used = Math.max(0, ...lane.rows.map(({ row }) => row));
      top += LANE.title + LANE.bar + used * LANE.row + LANE.below;
      return lane;
    });
    const shapes = new Map();
    const drawing = s(
      "svg",
      { width, height: top, role: "group", "aria-label": "Timeline of each component, with its events as marks; arrow keys move among them" },
      monthTicks(from, to, width).map((tick) => [
        s("line", { class: "grid", x1: x(tick.x), x2: x(tick.x), y1: AXIS - 6, y2: top }),
        Math.abs(x(tick.x) - x(now)) > 46 && s("text", { x: Math.min(Math.max(x(tick.x), SIDE + 6), width - SIDE - 6), y: 13, "text-anchor": "middle", class: tick.strong ? "strong" : null }, tick.label),
      ]),
      s("line", { class: "today", x1: x(now), x2: x(now), y1: AXIS - 8, y2: top }),
      s("text", { class: "strong", x: Math.min(Math.max(x(now), SIDE + 20), width - SIDE - 20), y: 13, "text-anchor": "middle" }, "Today"),
      lanes.map((lane) => drawLane(lane, x, to, now, (mark, group) => shapes.set(group, mark), chosen)),
    );
    place.replaceChildren(drawing);
    listen(place, drawing, shapes, onchoose);
  });
}

/** Give every mark the first row in which it covers no other; what is left over shares the last row, without its code. */
function arrange(marks, x, width) {
  const ends = [];
  return [...marks]
    .sort((one, two) => one.date.localeCompare(two.date) || (one.status === "accepted" ? -1 : 1))
    .map((mark) => {
      const here = x(at(mark.date));
      const code = mark.status === "rejected" ? mark.code : "";
      const length = code ? code.length * LETTER + 8 : 0;
      const leftward = here + 8 + length > width - 4 && here - 8 - length > 0;
      const [left, right] = leftward ? [here - 8 - length, here + 9] : [here - 9, here + 8 + length];
      let row = mark.status === "accepted" ? 0 : 1;
      while (row < MOST_ROWS - 1 && (ends[row] ?? []).some(([a, b]) => left < b && right > a)) row += 1;
      const crowded = row === MOST_ROWS - 1;
      (ends[row] ??= []).push([left, right]);
      return { mark, here, row, code: crowded ? "" : code, leftward };
    });
}

function drawLane({ component, span, top, rows }, x, to, now, keep, chosen) {
  const y = top + LANE.title;
  const title = [s("tspan", { class: "strong" }, nameOf(component)), s("tspan", { dx: 8 }, sentenceOf(span))];
  return s(
    "g",
    { class: component },
    s("text", { x: SIDE, y: top + 14 }, title),
    s("line", { class: "grid", x1: SIDE, x2: x(to), y1: y + LANE.bar / 2, y2: y + LANE.bar / 2 }),
    span.start && drawBar(span, x, y, to, now),
    rows.map((placed) => drawMark(placed, y + LANE.bar / 2 + placed.row * LANE.row, keep, chosen)),
  );
}

export function sentenceOf({ start, end, absent }) {
  if (absent) return "not part of the contract";
  if (!start) return "no start is known";
  if (!end) return `${start > today() ? "from" : "since"} ${formatDate(start)}, open`;
  return `${formatDate(start)} to ${formatDate(end)}`;
}

function drawBar({ start, end }, x, y, to, now) {
  const begin = x(at(start));
  // An end date is the last day on which the component runs.
  const length = Math.max((end ? x(at(end) + DAY) : x(to)) - begin, 2);
  const shape = { x: begin, y: y + 2, width: length, height: LANE.bar - 4, rx: 3 };
  if (end) return s("rect", { class: "bar", ...shape, "fill-opacity": 0.45 });
  const fade = freshId();
  const solid = Math.max(0, Math.min((x(now) - begin) / length, 0.98));
  const stop = (offset, opacity) => s("stop", { offset, "stop-color": "currentColor", "stop-opacity": opacity });
  return s("g", { class: "open-bar" }, s("linearGradient", { id: fade }, stop(0, 0.45), stop(solid, 0.45), stop(1, 0)), s("rect", { ...shape, fill: `url(#${fade})` }));
}

const START = "M-5,-6L6,0L-5,6Z";
const END = "M-5,-5H5V5H-5Z";

/** The shape of an event: a triangle starts, a square ends; filled where it was accepted. */
export const glyph = (action) => s("path", { d: action === "end" ? END : START });
export const strike = () => s("line", { x1: -9, y1: 7, x2: 9, y2: -7 });

function drawMark({ mark, here, row, code, leftward }, y, keep, chosen) {
  const verdict = mark.status === "accepted" ? "accepted" : `refused, ${mark.code}`;
  const label = [titleOf(mark.type), formatDate(mark.date), verdict, mark.voided ? "voided" : ""].filter(Boolean).join(", ");
  const group = s(
    "g",
    {
      ...{ class: `mark ${mark.status} ${mark.later ? "later" : ""}`, transform: `translate(${here.toFixed(1)} ${y})` },
      ...{ role: "button", "aria-label": label, "aria-pressed": String(mark.key === chosen) },
    },
    s("circle", { class: "halo", r: 11 }),
    s("rect", { x: -9, y: -9, width: 18, height: 18, opacity: 0 }),
    glyph(actionOf(mark.type)),
    mark.voided && strike(),
    code && s("text", { x: leftward ? -11 : 11, y: 4, "text-anchor": leftward ? "end" : "start", class: mark.voided ? "struck" : null }, code),
  );
  keep({ ...mark, here, y, row }, group);
  return group;
}

function listen(place, drawing, shapes, onchoose) {
  const groups = [...shapes.keys()];
  roving(drawing, groups);
  for (const [group, mark] of shapes) {
    const open = () => tip(place, mark.here, mark.y + 14, ...describe(mark));
    group.addEventListener("pointerenter", open);
    group.addEventListener("pointerleave", () => tip(place));
    group.addEventListener("focus", open);
    group.addEventListener("blur", () => tip(place));
    const choose = () => {
      for (const one of groups) one.setAttribute("aria-pressed", String(one === group));
      onchoose(mark.key);
    };
    group.addEventListener("click", choose);
    group.addEventListener("keydown", (event) => {
      if (event.key === "Escape") tip(place);
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      choose();
    });
  }
}

/** What the tip says of an event: the rule, what stood in the way, and who sent it. */
function describe(mark) {
  const line = (name, value) => h("div", {}, h("span", { class: "muted" }, `${name} `), value);
  const blocker = mark.blocked_by;
  return [
    h("strong", {}, titleOf(mark.type), " ", formatDate(mark.date)),
    h("div", {}, mark.status === "accepted" ? chip("good", "accepted") : chip("bad", mark.code), mark.voided ? [" ", chip("warn", "voided")] : ""),
    mark.status === "rejected" && h("div", {}, RULES[mark.code] ?? mark.message),
    blocker && line("In the way:", occurrenceOf(blocker)),
    line("Created", formatInstant(mark.created_at)),
    line("Received", formatInstant(mark.received_at)),
    line("From", `${actorOf(mark.actor)}, by ${mark.source === "bus" ? "the bus" : "the API"}`),
  ].filter(Boolean);
}
