// Dates, instants and numbers in the reader's own way of writing.

const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeZone: "UTC" });
const month = new Intl.DateTimeFormat(undefined, { month: "short", year: "numeric", timeZone: "UTC" });
const number = new Intl.NumberFormat();
const instants = new Map();

const formatIn = (zone) => {
  if (!instants.has(zone)) {
    const parts = { year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "short" };
    instants.set(zone, new Intl.DateTimeFormat(undefined, { ...parts, timeZone: zone || undefined }));
  }
  return instants.get(zone);
};

/** A line breaks beside a date or a time, not within. */
const whole = (text) => text.replace(/(?<!,) /g, "\u00a0");

/** A calendar date, `2024-01-31`, which belongs to no zone. */
export const formatDate = (text) => (text ? whole(day.format(new Date(`${text}T00:00:00Z`))) : "–");
export const formatMonth = (text) => month.format(new Date(`${text}T00:00:00Z`));
/** An instant with its zone: the reader's, or the one that is named. */
export const formatInstant = (text, zone = "") => (!text ? "–" : Number.isNaN(Date.parse(text)) ? text : whole(formatIn(zone).format(new Date(text))));
export const formatNumber = (value, digits) =>
  value === null || value === undefined ? "–" : digits === undefined ? number.format(value) : new Intl.NumberFormat(undefined, { maximumFractionDigits: digits }).format(value);

/** A size in the largest unit of which there is one, `5.4 kB`. */
export function formatBytes(bytes) {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte"];
  const at = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), units.length - 1);
  return new Intl.NumberFormat(undefined, { style: "unit", unit: units[at], unitDisplay: at ? "short" : "long", maximumFractionDigits: 1 }).format(bytes / 1000 ** at);
}

/** A count with its noun: `3 gaps`, `1 gap`. */
export const countOf = (count, one, many = `${one}s`) => `${formatNumber(count)} ${count === 1 ? one : many}`;

/** Whether a text, which may come from an address that somebody has typed, is a date, or a time zone. */
export const isDate = (text) => /^\d{4}-\d\d-\d\d$/.test(text ?? "") && !Number.isNaN(Date.parse(text));
export function isZone(name) {
  try {
    return Boolean(name && new Intl.DateTimeFormat("en", { timeZone: name }));
  } catch {
    return false;
  }
}

export const today = () => new Date().toISOString().slice(0, 10);
/** The date so many days later. */
export const addDays = (text, days) => new Date(Date.parse(`${text}T00:00:00Z`) + days * 86400000).toISOString().slice(0, 10);
/** The first of the month so many months later. */
export function addMonths(text, months) {
  const at = new Date(`${text.slice(0, 7)}-01T00:00:00Z`);
  at.setUTCMonth(at.getUTCMonth() + months);
  return at.toISOString().slice(0, 10);
}

/** How many milliseconds the clock of `zone` is ahead of UTC at an instant. */
function ahead(zone, at) {
  const numeric = { year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric", hourCycle: "h23", era: "short" };
  const parts = Object.fromEntries(new Intl.DateTimeFormat("en-US", { ...numeric, timeZone: zone }).formatToParts(at).map((part) => [part.type, part.value]));
  return Date.UTC(parts.year, parts.month - 1, parts.day, parts.hour, parts.minute, parts.second) - Math.floor(at / 1000) * 1000;
}

/** The instant at which a local date begins in `zone`, to the second. */
export function startOfDay(text, zone) {
  const local = Date.parse(`${text}T00:00:00Z`);
  let at = local - ahead(zone, local);
  at = local - ahead(zone, at);
  return new Date(at).toISOString().replace(".000Z", "Z");
}

/** The local date of an instant in `zone`. */
export const dateIn = (zone, at = Date.now()) => new Date(at + ahead(zone, at)).toISOString().slice(0, 10);

/** What `<input type="datetime-local">` takes, in the reader's zone, and back. */
export const toLocalInput = (at) => new Date(at - new Date(at).getTimezoneOffset() * 60000).toISOString().slice(0, 19);
export const fromLocalInput = (text) => new Date(text).toISOString();
export const readersZone = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

const COMPONENTS = { energy_supply: "Energy supply", battery_optimization: "Battery optimization", heatpump_optimization: "Heat pump optimization" };
export const COMPONENT_NAMES = Object.keys(COMPONENTS);
export const nameOf = (component) => COMPONENTS[component] ?? component;
/** The type of the event that starts or ends a component. */
export const typeOf = (component, action) => `${component === "energy_supply" ? "supply_energy" : component}_${action}`;
export const actionOf = (type) => (type.endsWith("_end") ? "end" : "start");
export const titleOf = (type) => `${nameOf(COMPONENT_NAMES.find((name) => type.startsWith(typeOf(name, ""))) ?? type)} ${actionOf(type) === "end" ? "ends" : "starts"}`;

/** What each rule says, in a few words. */
export const RULES = {
  accepted: "Accepted",
  contract_not_found: "There is no such contract",
  component_not_configured: "The contract does not have the component",
  restart_after_end: "An end has been accepted; the component does not start again",
  stale_start: "A start created later, or at the same instant, counts already",
  start_after_end_date: "Dated after the end",
  end_without_start: "No start is known",
  end_before_start: "Created or dated before the start",
  stale_end: "An end created later, or at the same instant, counts already",
};

/** Who sent it, as a few words. */
export const actorOf = (actor) => (actor ? [actor.name || actor.id || "", actor.kind.replace("_", " ")].filter(Boolean).join(", ") : "unknown");

/** The event that stood in the way of another. */
export const occurrenceOf = (one) => `${titleOf(one.type)} ${formatDate(one.date)}, created ${formatInstant(one.created_at)}`;
