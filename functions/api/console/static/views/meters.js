// Smart meters: all of them; one of them is shown by meter.js.

import { go, to } from "../address.js";
import { get } from "../api.js";
import { card, chip, empty, field, h, link, table } from "../elements.js";
import { formatInstant, formatNumber } from "../format.js";
import { paged } from "../paged.js";

export async function show(place, route) {
  if (route.rest.length) {
    const meter = await import("./meter.js");
    return meter.show(place, route);
  }
  const { signal } = route;
  const id = h("input", { type: "search", name: "meter", required: true, maxlength: 64, autocomplete: "off" });
  const open = (event) => {
    event.preventDefault();
    go("meters", id.value.trim());
  };
  const list = paged(
    (cursor) => get("api/meters", { limit: 50, cursor }, signal),
    (items) => table("Meters by id", ["Meter", "Kind", "Interval", "Time zone", "Created"], items.map(rowOf)),
    () => empty("There is no meter yet. Open one by its id above and upload its readings."),
    signal,
  );
  place.append(
    h("div", { class: "title" }, h("h1", {}, "Meters")),
    card("Find", {}, h("form", { class: "filters", role: "search", onsubmit: open }, field("Meter id", id), h("button", { type: "submit" }, "Open"))),
    card("All meters", {}, list),
  );
}

const rowOf = (meter) => [
  link(to("meters", meter.smart_meter_id), meter.smart_meter_id),
  chip(meter.kind === "metered" ? "good" : "", meter.kind),
  intervalOf(meter),
  meter.timezone ?? "not set: UTC",
  formatInstant(meter.created_at),
];

export const intervalOf = (meter) => (meter.interval_seconds ? `${formatNumber(meter.interval_seconds / 60)} min` : "unknown");
