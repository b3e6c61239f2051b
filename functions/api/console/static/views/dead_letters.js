// Dead letters: what could not be processed and why, and sending it through the queue again.

import { note, to } from "../address.js";
import { get, post } from "../api.js";
import { button, card, chip, dialog, empty, failure, field, h, link, select, table, toast } from "../elements.js";
import { formatInstant, formatNumber } from "../format.js";
import { paged } from "../paged.js";

const QUEUES = {
  rule: "Not delivered by the bus",
  ingestion: "Not applied",
  publisher: "Changes not published",
  portfolio: "Changes the portfolio misses",
  export: "Exports not made",
};
const POSSIBLE = /^[A-Za-z0-9._-]{1,64}$/;
const again = () => window.dispatchEvent(new Event("hashchange"));

export async function show(place, { query, signal }) {
  const queue = query.get("queue") ?? "";
  const { counts } = await get("dead-letters", { limit: 1, queue: "export" }, signal);
  const together = Object.values(counts).reduce((sum, count) => sum + count, 0);
  const chosen = new Set();
  const sendChosen = button("Send again", () => redrive({ ids: [...chosen] }), { class: "primary", disabled: true });
  const pick = (id, picked) => {
    if (picked) chosen.add(id);
    else chosen.delete(id);
    sendChosen.disabled = !chosen.size;
    sendChosen.textContent = chosen.size ? `Send ${formatNumber(chosen.size)} again` : "Send again";
  };
  const redrivable = counts.rule + counts.ingestion;
  const sendAll = button(`Send all ${formatNumber(redrivable)} again…`, () => confirmAll(redrivable), { disabled: !redrivable });
  const list = paged(
    (cursor) => get("dead-letters", { queue, limit: 50, cursor }, signal),
    (items) => table("Dead letters, the newest first", ["Choose", "What", "Why", "Sent first", "Content"], items.map((item) => rowOf(item, chosen, pick))),
    () => empty(queue ? "There is none in this queue." : "There is none: whatever arrived was processed."),
    signal,
  );
  const names = Object.entries(QUEUES).map(([name, title]) => [name, `${title} (${formatNumber(counts[name])})`]);
  place.append(
    h("div", { class: "title" }, h("div", {}, h("h1", {}, "Dead letters"), h("p", { class: "muted" }, "Messages that could not be processed. They are kept for 14 days."))),
    card(
      `${formatNumber(together)} in all`,
      { extra: button("Read again", again, { class: "quiet" }) },
      h("div", { class: "filters" }, field("Queue", select([["", `All (${formatNumber(together)})`], ...names], queue, (value) => note({ queue: value }))), sendChosen, sendAll),
      h("p", { class: "muted small" }, "Sending again is safe: an event that is applied already is not applied twice. What is still wrong comes back here within seconds."),
    ),
    card("What and why", {}, list),
  );
}

function rowOf(item, chosen, pick) {
  const name = item.event_id ?? item.message_id;
  const box = h("input", { type: "checkbox", "aria-label": `Choose ${name}`, ".checked": chosen.has(item.id), onchange: (event) => pick(item.id, event.target.checked) });
  const reason = [h("bdi", {}, item.reason), item.advice && h("div", { class: "muted small" }, `Not to be sent again: ${item.advice}`)];
  return [
    item.redrivable ? box : "",
    [chip("bad", QUEUES[item.queue]), h("p", { class: "what" }, subjectOf(item)), item.event_id && h("div", { class: "muted small" }, "Event ", h("bdi", {}, item.event_id))],
    reason,
    formatInstant(item.sent_at),
    h("details", {}, h("summary", {}, "Show"), h("code", {}, h("bdi", {}, item.content))),
  ];
}

function subjectOf(item) {
  // Anybody may have sent it: only what can be a number or an id leads anywhere.
  const named = (view, text) => (POSSIBLE.test(text) ? link(to(view, text), text) : h("bdi", {}, text));
  if (item.contract_number) return ["Contract ", named("contracts", item.contract_number)];
  if (item.smart_meter_id) return ["Meter ", named("meters", item.smart_meter_id)];
  return item.job_id ? ["Export ", h("bdi", {}, item.job_id)] : "";
}

async function redrive(asked) {
  try {
    const done = await post("dead-letters/redrive", asked);
    const parts = [`${formatNumber(done.redriven)} sent again.`, done.gone && `${formatNumber(done.gone)} were not there any more.`, done.left && `${formatNumber(done.left)} are left; send them again.`];
    toast(parts.filter(Boolean).join(" "));
    again();
  } catch (error) {
    await dialog("Not sent", (close) => h("div", {}, failure(error), h("div", { class: "actions" }, button("Close", () => close()))));
  }
}

async function confirmAll(count) {
  const sure = await dialog("Send all dead letters again", (close) =>
    h(
      "div",
      {},
      h("p", {}, `${formatNumber(count)} messages of the rule and of the ingestion function go through the ingestion queue again. Those of the other queues stay.`),
      h("div", { class: "actions" }, button("Cancel", () => close()), button("Send all again", () => close(true), { class: "primary" })),
    ),
  );
  if (sure) await redrive({ all: true });
}
