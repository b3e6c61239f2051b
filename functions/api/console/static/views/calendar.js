// Completeness as a calendar: one cell for each local day, which leads to its curve.

import { h, roving } from "../elements.js";
import { formatDate, formatMonth, formatNumber } from "../format.js";

const WEEKDAYS = Array.from({ length: 7 }, (_, day) => new Date(Date.UTC(2024, 0, 1 + day)).toLocaleDateString(undefined, { weekday: "narrow", timeZone: "UTC" }));

const KINDS = { full: "complete", partly: "incomplete", none: "no readings", ahead: "still to come" };

function kindOf({ expected, present, missing }) {
  if (!expected) return "ahead";
  if (!missing) return "full";
  return present ? "partly" : "none";
}

/** Draw the months of `days`, `{date, expected, present, missing}` each; `open(date)` is called for the day that is chosen. */
export function calendar(days, open) {
  const months = grouped(days);
  const place = h("div", { class: "months" }, [...months].map(([month, inMonth]) => monthOf(month, inMonth, open)));
  roving(place, [...place.querySelectorAll("button.day")]);
  const sample = (kind) => h("span", {}, h("span", { class: `day sample ${kind}` }), KINDS[kind]);
  return h("div", { class: "stack" }, place, h("div", { class: "legend" }, Object.keys(KINDS).map(sample)));
}

function grouped(days) {
  const months = new Map();
  for (const day of days) months.set(day.date.slice(0, 7), [...(months.get(day.date.slice(0, 7)) ?? []), day]);
  return months;
}

function monthOf(month, days, open) {
  const first = (new Date(`${days[0].date}T00:00:00Z`).getUTCDay() + 6) % 7;
  return h(
    "div",
    { class: "month", role: "group", "aria-label": formatMonth(`${month}-01`) },
    h("h3", {}, formatMonth(`${month}-01`)),
    WEEKDAYS.map((name) => h("span", { class: "weekday", "aria-hidden": "true" }, name)),
    Array.from({ length: first }, () => h("span")),
    days.map((day) => dayOf(day, open)),
  );
}

function dayOf(day, open) {
  const kind = kindOf(day);
  const count = day.expected ? `, ${formatNumber(day.present)} of ${formatNumber(day.expected)} readings` : "";
  const label = `${formatDate(day.date)}: ${KINDS[kind]}${count}`;
  return h("button", { type: "button", class: `day ${kind}`, "aria-label": label, title: label, onclick: () => open(day.date) }, String(Number(day.date.slice(8))));
}
