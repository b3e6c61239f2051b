// One contract: its lanes at a moment, its events, and what can be done about them.

import { note, to } from "../address.js";
import { ApiError, all, get, segment } from "../api.js";
import { button, card, chip, empty, failure, fill, h, link, s, select, table } from "../elements.js";
import { RULES, actorOf, countOf, formatDate, formatInstant, formatNumber, nameOf, occurrenceOf, titleOf } from "../format.js";
import { gantt, glyph, sentenceOf, strike } from "../gantt.js";
import { may } from "../session.js";
import { correct, difference } from "./corrections.js";
import { eventForm } from "./send_event.js";

const ROWS_AT_ONCE = 1000;
const WAIT_MS = 120;

export async function show(place, { rest: [number], query, signal }) {
  const path = `contract/${segment(number)}`;
  let contract;
  try {
    contract = await get(path, {}, signal);
  } catch (error) {
    if (!(error instanceof ApiError && [404, 422].includes(error.status))) throw error;
    place.append(h("h1", {}, `Contract ${number}`), empty("There is no contract with this number. ", link(to("contracts"), "Look at all contracts")));
    return;
  }
  const view = {
    ...{ path, contract, signal, chosen: query.get("event"), only: "", trail: [], complete: true, most: ROWS_AT_ONCE, places: {} },
    asked: { as_of: query.get("as_of"), known_at: query.get("known_at") },
  };
  for (const name of ["sliders", "lanes", "dates", "rows"]) view.places[name] = h("div", { class: name });
  view.places.status = h("div", { role: "status", class: "unseen" });
  view.reload = () => load(view);
  place.append(
    h(
      "div",
      { class: "title" },
      h("div", {}, h("h1", {}, "Contract ", h("bdi", {}, contract.contract_number)), h("p", { class: "muted" }, `Created ${formatInstant(contract.created_at)}`)),
      h("div", { class: "actions" }, may("admin") && button("Replay…", () => correct(view, "replay"))),
    ),
    card("Timeline", { extra: legend() }, view.places.sliders, view.places.lanes, view.places.dates, view.places.status),
    card("Events and corrections", { extra: (view.places.only = onlySelect(view)) }, view.places.rows),
    may("operator") && card("Send an event", {}, eventForm(contract, view.reload)),
  );
  await load(view);
}

async function load(view) {
  const { places, signal } = view;
  try {
    const { items, complete } = await all(`${view.path}/events`, {}, view.most, signal);
    Object.assign(view, { trail: items, complete });
    drawSliders(view);
    drawRows(view);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    places.rows.replaceChildren(failure(error, view.reload));
  }
  await drawMoment(view);
}

const legend = () => {
  const sample = (className, label, action = "start", struck = false) => {
    const mark = s("g", { class: `mark energy_supply ${className}` }, glyph(action), struck && strike());
    return h("span", {}, s("svg", { width: 20, height: 18, viewBox: "-10 -9 20 18", "aria-hidden": "true" }, mark), label);
  };
  const samples = [sample("accepted", "start"), sample("accepted", "end", "end"), sample("rejected", "refused")];
  return h("div", { class: "legend" }, samples, sample("accepted", "voided", "start", true));
};

const onlySelect = (view) =>
  select([["", "All rows"], ["accepted", "Accepted"], ["rejected", "Refused"], ["corrections", "Corrections"]], "", (value) => {
    view.only = value;
    drawRows(view);
  }, { "aria-label": "Which rows to show" });

/** Two sliders: their steps are the instants at which something was created, or recorded; the last step is now. */
function drawSliders(view) {
  const { trail, places, contract } = view;
  const created = trail.filter((row) => row.kind === "decided").map((row) => row.created_at);
  const recorded = [contract.created_at, ...trail.map((row) => row.recorded_at)];
  places.sliders.replaceChildren(
    slider(view, "as_of", "As the events mean it", created, "What all events created until then give, refused ones too"),
    slider(view, "known_at", "As we knew it", recorded, "What the service answered at that instant"),
  );
}

function slider(view, name, title, instants, hint) {
  const steps = [...new Set([...instants, view.asked[name] ?? []].flat())].sort((one, two) => Date.parse(one) - Date.parse(two));
  const current = view.asked[name] ? steps.indexOf(view.asked[name]) : steps.length;
  const text = (at) => (at === steps.length ? (name === "as_of" ? "all that is known" : "now") : formatInstant(steps[at]));
  const output = h("output", {}, text(current));
  let waiting;
  const move = (event) => {
    const at = Number(event.target.value);
    output.textContent = text(at);
    event.target.setAttribute("aria-valuetext", text(at));
    view.asked[name] = steps[at] ?? null;
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      note({ [name]: view.asked[name] }, { silently: true });
      drawMoment(view);
      drawRows(view);
    }, WAIT_MS);
  };
  const input = h("input", {
    ...{ type: "range", id: name, name, min: 0, max: steps.length, step: 1, ".value": String(current) },
    ...{ oninput: move, "aria-valuetext": text(current), disabled: !steps.length },
  });
  return h("div", { class: "slider" }, h("label", { for: name }, title), output, input, h("small", {}, hint));
}

/** Redraw the lanes and the table of dates from what the API says of the moment. */
async function drawMoment(view) {
  const { places, asked, signal } = view;
  const address = `${view.path}/contract_timeline`;
  const moved = asked.as_of || asked.known_at;
  view.moment?.abort();
  const moment = (view.moment = new AbortController());
  const stopped = AbortSignal.any([signal, moment.signal]);
  await fill(
    places.lanes,
    async () => {
      const [then, now] = await Promise.all([get(address, asked, stopped), moved ? get(address, {}, stopped) : null]);
      if (stopped.aborted) return [];
      view.lanes = then.components;
      places.dates.replaceChildren(moved ? difference(then.components, now.components, ["At this moment", "In force now"]) : "");
      places.status.textContent = Object.entries(then.components).map(([name, span]) => `${nameOf(name)}: ${sentenceOf(span)}`).join("; ");
      return draw(view);
    },
    stopped,
  );
}

const isKnown = ({ asked }, row) => !asked.known_at || Date.parse(row.recorded_at) <= Date.parse(asked.known_at);

function draw(view) {
  const { asked, trail } = view;
  const known = trail.filter((row) => isKnown(view, row));
  const voided = new Set(known.filter((row) => row.kind === "voided").map((row) => row.voids));
  const later = (row) => Boolean(asked.as_of) && Date.parse(row.created_at) > Date.parse(asked.as_of);
  const marks = known.filter((row) => row.kind === "decided").map((row) => ({ ...row, voided: voided.has(row.key), later: later(row) }));
  const lanes = { ...view.lanes };
  // Events of components that the contract lacks are worth a lane too.
  for (const mark of marks) lanes[mark.component] ??= { absent: true };
  const onchoose = (key) => {
    view.chosen = key;
    view.only = "";
    note({ event: key }, { silently: true });
    drawRows(view);
    view.places.rows.querySelector("tr.chosen")?.scrollIntoView({ block: "center" });
  };
  if (!Object.keys(lanes).length) return empty("Nothing was known of this contract then.");
  return gantt({ timeline: lanes, marks, chosen: view.chosen, onchoose }).place;
}

function drawRows(view) {
  const { trail, places, complete } = view;
  const wanted = { "": () => true, corrections: (row) => row.kind !== "decided" }[view.only] ?? ((row) => row.status === view.only);
  const voided = new Map(trail.filter((row) => row.kind === "voided").map((row) => [row.voids, row]));
  const rows = trail.filter(wanted).reverse();
  if (!rows.length) {
    places.rows.replaceChildren(empty(view.only ? "No row is of this kind." : "No event has been decided yet. Send one below."));
    return;
  }
  const cells = rows.map((row) => [
    [formatInstant(row.received_at), !isKnown(view, row) && h("div", { class: "small" }, "not yet known")],
    ...(row.kind === "decided" ? eventCells(row, voided.get(row.key)) : correctionCells(row)),
    ...[actorOf(row.actor), actionsOf(view, row, voided)],
  ]);
  const columns = ["Received", "What", "Verdict", "Why", "Who", ""];
  const classOf = (row) => `${row.key === view.chosen ? "chosen" : ""} ${isKnown(view, row) ? "" : "later"}`;
  const shown = table("Events and corrections, the newest first", columns, cells, (at) => ({ class: classOf(rows[at]) }));
  const more = () => {
    view.most += ROWS_AT_ONCE;
    return load(view);
  };
  const rest = h("p", { class: "actions" }, `The first ${formatNumber(trail.length)} rows in the order of arrival; more follow. `, button("Read more", more));
  places.rows.replaceChildren(complete ? "" : rest, shown);
}

const eventCells = (row, voiding) => [
  [
    h("div", { class: `what ${voiding ? "struck" : ""}` }, titleOf(row.type), " ", h("strong", {}, formatDate(row.date))),
    h("div", { class: "muted small" }, `created ${formatInstant(row.created_at)}`),
    row.id && h("div", { class: "muted small" }, "id ", h("bdi", {}, row.id)),
  ],
  [row.status === "accepted" ? chip("good", "accepted") : chip("bad", row.code), voiding ? [" ", chip("warn", "voided")] : ""],
  [
    row.status === "accepted" ? "" : h("div", {}, RULES[row.code] ?? row.message),
    row.blocked_by && h("div", { class: "muted small" }, `In the way: ${occurrenceOf(row.blocked_by)}`),
    voiding && h("div", { class: "muted small" }, "Voided: ", h("bdi", {}, voiding.reason)),
  ],
];

function correctionCells(row) {
  if (row.kind === "changed") return ["Components changed", chip("", "changed"), `${row.before.map(nameOf).join(", ")} → ${row.after.map(nameOf).join(", ")}`];
  const changes = Object.keys(row.after).filter((name) => JSON.stringify(row.before[name]) !== JSON.stringify(row.after[name]));
  const text = changes.map((name) => h("div", {}, `${nameOf(name)}: ${sentenceOf(row.before[name] ?? {})} → ${sentenceOf(row.after[name])}`));
  if (row.kind === "replayed") return [`Replay of ${countOf(row.events, "event")}`, chip("", "replayed"), text];
  return ["An event was voided", chip("warn", "voided"), [h("div", {}, h("bdi", {}, row.reason)), text]];
}

const actionsOf = (view, row, voided) =>
  row.kind === "decided" && may("admin") && !voided.has(row.key) && button("Void…", () => correct(view, "void", row), { class: "quiet", "aria-label": `Void ${titleOf(row.type)} ${formatDate(row.date)}` });
