// Exports of a meter's readings: start one, watch it, cancel it, download it.

import { ApiError, get, post, remove, request, segment } from "../api.js";
import { button, chip, empty, failure, field, fill, h, select, table, toast } from "../elements.js";
import { addDays, countOf, dateIn, formatBytes, formatDate, formatInstant, formatNumber, startOfDay } from "../format.js";
import { may } from "../session.js";

const FIRST_WAIT_MS = 700;
const LONGEST_WAIT_MS = 4000;
const RESOLUTIONS = [["raw", "One by one"], ["quarter_hour", "Quarter hours"], ["hour", "Hours"], ["day", "Days"], ["month", "Months"]];
const KINDS = { completed: "good", failed: "bad", pending: "", cancelled: "warn", expired: "warn" };

export function exportsOf(meter, { period, tz, signal }) {
  const list = h("div");
  const read = () => fill(list, async () => listOf(await get(`api/export/history/${segment(meter)}`, { limit: 10 }, signal), tz, watch), signal);
  const watched = h("div", { class: "stack", role: "status" });
  const watch = (job) => watched.replaceChildren(progressOf(job, signal, read));
  read();
  return h("div", { class: "stack" }, may("operator") && orderForm(meter, period, tz, watch), watched, list);
}

function orderForm(meter, period, tz, watch) {
  const from = h("input", { type: "date", name: "from", required: true, ".value": period.from });
  const last = h("input", { type: "date", name: "last", required: true, ".value": addDays(period.to, -1) });
  const resolution = select(RESOLUTIONS, "raw", null, { name: "resolution" });
  const answer = h("div");
  const submit = async (event) => {
    event.preventDefault();
    const end = startOfDay(addDays(last.value, 1), tz);
    // The end must not be in the future: then up to now.
    const now = new Date(Date.now() - 1000).toISOString().replace(/\.\d+Z/, "Z");
    const order = { smart_meter_id: meter, start_datetime: startOfDay(from.value, tz), end_datetime: end > now ? now : end, format: "csv", resolution: resolution.value };
    try {
      watch(await post("api/export/csv", resolution.value === "raw" ? order : { ...order, tz }));
      answer.replaceChildren();
    } catch (error) {
      answer.replaceChildren(failure(error));
    }
  };
  return h(
    "form",
    { class: "stack", onsubmit: submit },
    h("div", { class: "form" }, field("First day", from), field("Last day", last, `Days of ${tz}, the last one too`), field("Rows", resolution)),
    h("div", { class: "actions" }, h("button", { type: "submit", class: "primary" }, "Export as CSV")),
    answer,
  );
}

/** Ask for the job's progress, less and less often, until it has ended or the view is left. */
function progressOf(job, signal, ended) {
  const bar = h("progress", { max: 100, value: 0, "aria-label": "Progress of the export" });
  const text = h("span", {}, "Waiting to start…");
  const cancel = button("Cancel", async () => {
    cancel.disabled = true;
    await remove(`api/export/${segment(job.job_id)}`).catch((error) => toast(error.message));
  });
  const place = h("div", { class: "result" }, text, bar, h("div", { class: "actions" }, may("operator") && cancel));
  let wait = FIRST_WAIT_MS;
  const look = async () => {
    if (signal.aborted) return;
    try {
      const status = await get(`api/export/status/${segment(job.job_id)}`, {}, signal);
      if (status.status === "pending") {
        bar.value = status.progress;
        text.textContent = `${formatNumber(status.progress)} % done`;
        wait = Math.min(wait * 1.3, LONGEST_WAIT_MS);
        setTimeout(look, wait);
        return;
      }
      const file = status.file_info;
      place.className = `result ${KINDS[status.status] ?? ""}`;
      const size = file && sizeOf(file);
      place.replaceChildren(
        h("div", {}, chip(KINDS[status.status] ?? "", status.status), " ", size ?? status.error?.message ?? status.message),
        file ? h("div", { class: "actions" }, downloadButton({ ...status, job_id: job.job_id })) : "",
      );
      ended();
    } catch (error) {
      if (error.name !== "AbortError") place.replaceChildren(failure(error, look));
    }
  };
  setTimeout(look, wait);
  return place;
}

const sizeOf = (file) => `${countOf(file.record_count, "row")}, ${formatBytes(file.file_size_bytes)}`;

const downloadButton = (job) => button("Download", () => download(job), { "aria-label": `Download ${job.file_info.filename}` });

/**
 * Save the file. The request needs the credentials, so it is no plain link: a small file comes with the answer; of a large one
 * the answer names an address in the bucket that holds for five minutes and needs none.
 */
async function download(job) {
  try {
    const path = `api/export/download/${segment(job.job_id)}`;
    const answer = await request("GET", path, { redirect: "manual" });
    if (answer.type === "opaqueredirect") {
      window.location.assign((await get(path, { link: true })).url);
      return;
    }
    const url = URL.createObjectURL(await answer.blob());
    h("a", { href: url, download: job.file_info.filename }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60000);
  } catch (error) {
    toast(error instanceof ApiError ? error.message : "The file could not be saved.");
  }
}

/** The local days of an export, whose end is the instant after the last. */
function daysOf({ start, end }, tz) {
  const [first, last] = [dateIn(tz, Date.parse(start)), dateIn(tz, Date.parse(end) - 1000)];
  return first === last ? formatDate(first) : `${formatDate(first)} to ${formatDate(last)}`;
}

function listOf({ items }, tz, watch) {
  if (!items.length) return empty("This meter has not been exported yet.");
  const rows = items.map((job) => [
    daysOf(job.export_period, tz),
    [chip(KINDS[job.status] ?? "", job.status), job.file_info && h("div", { class: "muted small" }, sizeOf(job.file_info)), job.error ? h("div", { class: "muted small" }, h("code", {}, job.error.code), " ", job.error.message) : ""],
    formatInstant(job.created_at),
    job.status === "completed" ? downloadButton(job) : job.status === "pending" ? button("Watch", () => watch(job)) : "",
  ]);
  return table("Exports, the newest first", ["Period", "Status", "Started", ""], rows);
}
