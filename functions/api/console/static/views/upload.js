// Sends a CSV file of readings, and shows which of its lines are wrong.

import { request } from "../api.js";
import { failure, field, h, toast } from "../elements.js";
import { formatBytes, formatNumber } from "../format.js";

const MOST_BYTES = 5 * 1024 * 1024;

export function upload(path, stored) {
  const file = h("input", { type: "file", name: "file", accept: ".csv,text/csv", required: true });
  const answer = h("div", { role: "status" });
  const send = h("button", { type: "submit", class: "primary" }, "Upload");
  const submit = async (event) => {
    event.preventDefault();
    const [chosen] = file.files;
    if (chosen.size > MOST_BYTES) {
      answer.replaceChildren(h("p", { class: "failure" }, `The file has ${formatBytes(chosen.size)}; one upload takes ${formatBytes(MOST_BYTES)}. Split it.`));
      return;
    }
    send.disabled = true;
    try {
      const result = await (await request("PUT", `${path}/readings`, { body: chosen, type: "text/csv" })).json();
      const counts = ["stored", "updated", "unchanged", "outdated"].map((name) => `${formatNumber(result[name])} ${name}`);
      toast(`${formatNumber(result.received)} readings received: ${counts.join(", ")}.`);
      answer.replaceChildren(h("p", { class: "result good" }, `${formatNumber(result.received)} readings received: ${counts.join(", ")}.`));
      if (result.stored + result.updated) setTimeout(stored, 1500);
    } catch (error) {
      answer.replaceChildren(failure(error), h("p", { class: "muted small" }, "Nothing of the file was stored."));
    } finally {
      send.disabled = false;
    }
  };
  return h(
    "form",
    { class: "stack", onsubmit: submit },
    field("CSV file", file, "Columns timestamp, smart_meter_id, energy_kwh, power_kw, voltage_v, current_a; optionally quality and created_at"),
    h("div", { class: "actions" }, send),
    answer,
  );
}
