// The form that tries or sends an event.

import { post } from "../api.js";
import { button, chip, failure, field, h, select } from "../elements.js";
import { RULES, formatDate, fromLocalInput, nameOf, occurrenceOf, readersZone, titleOf, toLocalInput, today, typeOf } from "../format.js";

export function eventForm(contract, sent) {
  const types = contract.components.flatMap((name) => ["start", "end"].map((action) => [typeOf(name, action), `${nameOf(name)} ${action}s`]));
  const type = select(types, types[0][0], null, { name: "type" });
  const date = h("input", { type: "date", name: "date", required: true, ".value": today() });
  const created = h("input", { type: "datetime-local", name: "created_at", step: 1, ".value": toLocalInput(Date.now()), required: true });
  const id = h("input", { name: "id", maxlength: 128, autocomplete: "off" });
  const answer = h("div", { role: "status" });
  let sending = false; // a double click sends one event
  const send = async (dry_run) => {
    if (sending) return;
    sending = true;
    const event = { type: type.value, contract_number: contract.contract_number, date: date.value, created_at: fromLocalInput(created.value), ...(id.value && { id: id.value }) };
    try {
      const verdict = await post("event", event, { dry_run });
      answer.replaceChildren(resultOf(verdict));
      if (!dry_run) await sent();
    } catch (error) {
      answer.replaceChildren(failure(error));
    } finally {
      sending = false;
    }
  };
  const form = h(
    "form",
    {
      class: "stack",
      onsubmit: (event) => {
        event.preventDefault();
        send(false);
      },
    },
    h(
      "div",
      { class: "form" },
      field("Event", type),
      field("Date", date),
      field("Created at", created, `In ${readersZone}. It orders events, whenever they arrive`),
      field("Id, optional", id, "Sent again, the same id gets the same answer"),
    ),
    h(
      "div",
      { class: "actions" },
      button("Try", () => form.reportValidity() && send(true)),
      h("button", { type: "submit", class: "primary" }, "Send"),
      h("small", {}, "Try answers what the rules say now and stores nothing."),
    ),
    answer,
  );
  return form;
}

function resultOf(verdict) {
  const accepted = verdict.status === "accepted";
  const blocker = verdict.blocked_by;
  return h(
    "div",
    { class: `result ${accepted ? "good" : "bad"}` },
    h("div", {}, chip(accepted ? "good" : "bad", accepted ? "accepted" : verdict.code), verdict.dry_run ? " Tried, not stored" : verdict.repeated ? " Decided before under this id" : " Stored"),
    h("div", {}, `${titleOf(verdict.type)} ${formatDate(verdict.date)}: ${accepted ? verdict.message : (RULES[verdict.code] ?? verdict.message)}`),
    !accepted && h("div", { class: "muted" }, verdict.message),
    blocker && h("div", { class: "muted" }, `In the way: ${occurrenceOf(blocker)}`),
  );
}
