// Replay and void: first what they would change, then, if it is wanted, the same stored.

import { post } from "../api.js";
import { button, chip, dialog, empty, failure, field, h, loading, table, toast } from "../elements.js";
import { countOf, formatDate, nameOf, titleOf } from "../format.js";
import { sentenceOf } from "../gantt.js";

const namesIn = (before, after) => [...new Set([...Object.keys(before), ...Object.keys(after)])];
const isSame = (one, two) => one?.start === two?.start && one?.end === two?.end;

/** Two timelines side by side; what differs is marked by a word, not by colour alone. */
export function difference(before, after, [first, second]) {
  const names = namesIn(before, after);
  const text = (span) => sentenceOf(span ?? { absent: true });
  const rows = names.map((name) => {
    const same = isSame(before[name], after[name]);
    return [chip(`component ${name}`, nameOf(name)), text(before[name]), text(after[name]), same ? h("span", { class: "muted" }, "same") : h("span", { class: "changed" }, "differs")];
  });
  return table(`${first} and ${second}`, ["Component", first, second, "Difference"], rows);
}

/** Ask for a correction, show its difference, and store it when that is confirmed. */
export async function correct(view, what, row) {
  const path = what === "replay" ? `${view.path}/replay` : `${view.path}/events/${row.key}/void`;
  const title = what === "replay" ? "Replay the whole trail" : `Void: ${titleOf(row.type)} ${formatDate(row.date)}`;
  const done = await dialog(title, (close) => (what === "replay" ? preview(path, undefined, close) : askReason(path, close)));
  if (!done) return;
  toast("Stored.");
  await view.reload();
  // The button with which it began may be gone.
  if (document.activeElement === document.body) view.places.only.focus();
}

function askReason(path, close) {
  const reason = h("textarea", { required: true, maxlength: 500, rows: 2, name: "reason" });
  const place = h("div", { class: "stack" });
  const look = (event) => {
    event.preventDefault();
    place.replaceChildren(preview(path, { reason: reason.value }, close));
  };
  const form = h(
    "form",
    { class: "stack", onsubmit: look },
    h("p", { class: "muted" }, "The component becomes what its other events give. The event stays in the trail."),
    field("Reason", reason),
    h("div", { class: "actions" }, button("Cancel", () => close()), h("button", { type: "submit", class: "primary" }, "Show the difference")),
  );
  place.append(form);
  return place;
}

function preview(path, body, close) {
  const place = h("div", { class: "stack" }, loading("Asking what would change…"));
  const send = async (dry_run) => {
    try {
      const result = await post(path, body, { dry_run });
      if (!dry_run) return close(result);
      place.replaceChildren(...differenceOf(result, body, () => send(false), close));
    } catch (error) {
      place.replaceChildren(failure(error), h("div", { class: "actions" }, button("Close", () => close())));
    }
    return undefined;
  };
  send(true);
  return place;
}

function differenceOf(result, body, store, close) {
  const storing = (event) => {
    event.target.disabled = true;
    store();
  };
  const stored = result.changed || body; // a void is a row even where the dates stay
  const [before, after] = [result.before.components, result.after.components];
  const moved = namesIn(before, after).some((name) => !isSame(before[name], after[name]));
  const sentence = moved ? "This would change the timeline:" : result.changed ? "All dates would stay, but another event would set one of them:" : "The timeline would stay as it is.";
  return [
    h("p", {}, result.events === undefined ? "" : `${countOf(result.events, "event")}, in the order of their creation. `, sentence),
    Object.keys(after).length ? difference(before, after, ["Now", "Afterwards"]) : empty("The contract has no component."),
    h("div", { class: "actions" }, button(stored ? "Cancel" : "Close", () => close()), stored && button("Store", storing, { class: "primary" })),
  ];
}
