// Curves and bars as SVG. A chart is drawn anew when its width changes, and never wider than its place.

import { h, s } from "./elements.js";
import { formatNumber } from "./format.js";

/** A place in which `draw(place, width)` draws, again whenever its width changes or `redraw` is called. */
export function responsive(draw) {
  const place = h("div", { class: "chart" });
  let width = 0;
  const fit = () => {
    const now = Math.floor(place.clientWidth);
    if (now && now !== width) draw(place, (width = now));
  };
  new ResizeObserver(fit).observe(place);
  place.addEventListener("shown", fit);
  const redraw = () => width && draw(place, width);
  return { place, redraw };
}

/** Show `children` beside a point of `place`, or hide what is shown. */
export function tip(place, x, y, ...children) {
  place.querySelector(":scope > .tip")?.remove();
  if (!children.length) return;
  const shown = h("div", { class: "tip", role: "tooltip" }, ...children);
  place.append(shown);
  const left = x + 14 + shown.offsetWidth > place.clientWidth ? x - 14 - shown.offsetWidth : x + 14;
  shown.style.left = `${Math.max(0, Math.min(left, place.clientWidth - shown.offsetWidth))}px`;
  shown.style.top = `${y}px`;
}

/** About `count` round values from `low` to `high`. */
export function roundTicks(low, high, count) {
  const raw = (high - low || 1) / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((size) => size >= raw);
  const ticks = [];
  for (let at = Math.floor(low / step) * step; at <= high + step * 0.999; at += step) ticks.push(Number(at.toPrecision(12)));
  return ticks;
}

/** The months between two instants, as many as fit: `{x, label}`, a year wherever it begins. */
export function monthTicks(from, to, width) {
  const months = (to - from) / 2629800000;
  const every = [1, 2, 3, 6, 12, 24, 60, 120].find((step) => (months / step) * 54 < width) ?? 240;
  const first = new Date(from);
  const ticks = [];
  for (let month = first.getUTCFullYear() * 12 + first.getUTCMonth() + 1; ; month += 1) {
    const x = Date.UTC(Math.floor(month / 12), month % 12, 1);
    if (x > to) return ticks;
    if (month % every) continue;
    const date = new Date(x);
    const label = month % 12 ? date.toLocaleDateString(undefined, { month: "short", timeZone: "UTC" }) : String(date.getUTCFullYear());
    ticks.push({ x, label, strong: month % 12 === 0 });
  }
}

const MARGIN = { top: 24, right: 10, bottom: 24, left: 46 };

/**
 * Draw curves over time.
 *
 * `series` have a `className` and `points` `{x, y}` in order; a curve is broken where two points are more than `step` apart.
 * `gaps` `{start, end}` are hatched, `ticks` `{x, label}` stand below, `now` is a line with the text `nowLabel`, what is after it is dashed. `describe(at)`
 * gives what the tip says of the points with the index `at`, as text; arrow keys move it. `bars` draws bars and not a curve.
 */
export function plot(chart) {
  const { series, from, to, ticks, gaps = [], now, nowLabel, step = Infinity, height = 230, describe, label, bars, unit = "", pick } = chart;
  return responsive((place, width) => {
    const values = series.flatMap(({ points }) => points.map((point) => point.y)).filter((y) => y !== null);
    const rows = roundTicks(Math.min(0, ...values), Math.max(...values, 1e-9), 4);
    const [low, high] = [rows[0], rows.at(-1)];
    const x = (at) => MARGIN.left + ((at - from) / (to - from)) * (width - MARGIN.left - MARGIN.right);
    const y = (value) => height - MARGIN.bottom - ((value - low) / (high - low)) * (height - MARGIN.top - MARGIN.bottom);
    const inside = (at) => Math.min(Math.max(at, from), to);
    const bottom = height - MARGIN.bottom;
    const spread = Math.max(1, Math.ceil((ticks.length * 44) / (width - MARGIN.left)));
    const cross = s("line", { class: "today", y1: MARGIN.top, y2: bottom, visibility: "hidden" });
    const drawing = s(
      "svg",
      {
        ...{ width, height, role: "slider", tabindex: "0", "aria-label": label },
        ...{ "aria-valuemin": 0, "aria-valuemax": Math.max(series[0].points.length - 1, 0), "aria-valuenow": 0 },
      },
      gaps.map(({ start, end }) => {
        const [a, b] = [x(inside(start)), x(inside(end))];
        const band = s("rect", { class: "gap", x: a, y: MARGIN.top, width: Math.max(b - a, 1), height: bottom - MARGIN.top });
        return s("g", {}, band, [a, b].map((edge) => s("line", { class: "gap-line", x1: edge, x2: edge, y1: MARGIN.top, y2: bottom })));
      }),
      rows.map((value) => [
        s("line", { class: "grid", x1: MARGIN.left, x2: width - MARGIN.right, y1: y(value), y2: y(value) }),
        s("text", { x: MARGIN.left - 7, y: y(value) + 4, "text-anchor": "end" }, formatNumber(value)),
      ]),
      ticks.map((tick, at) => {
        const anchor = x(tick.x) < MARGIN.left + 8 ? "start" : x(tick.x) > width - MARGIN.right - 8 ? "end" : "middle";
        return at % spread === 0 && s("text", { x: x(tick.x), y: height - 7, "text-anchor": anchor, class: tick.strong ? "strong" : null }, tick.label);
      }),
      unit && s("text", { x: MARGIN.left - 7, y: 10, "text-anchor": "end" }, unit),
      now >= from && now <= to && s("line", { class: "today", x1: x(now), x2: x(now), y1: MARGIN.top, y2: bottom }),
      nowLabel && s("text", { class: "strong", x: x(now), y: MARGIN.top - 8, "text-anchor": "middle" }, nowLabel),
      series.map((one) => (bars ? drawBars(one, x, y, bars) : drawCurve(one, x, y, step, now))),
      cross,
    );
    place.replaceChildren(drawing);
    if (series[0].points.length) follow({ place, drawing, cross, points: series[0].points, x, describe, pick });
  }).place;
}

const drawBars = ({ className, points }, x, y, length) =>
  points
    .filter((point) => point.y !== null)
    .map((point) => {
      const width = Math.max(x(point.x + length) - x(point.x) - 1, 0.75);
      return s("rect", { class: `bar ${className ?? ""}`, x: x(point.x), width, y: Math.min(y(point.y), y(0)), height: Math.max(Math.abs(y(0) - y(point.y)), 0.5) });
    });

function drawCurve({ className, points }, x, y, step, now = Infinity) {
  const paths = { curve: "", ahead: "" };
  points.forEach((point, at) => {
    if (point.y === null) return;
    const before = points[at - 1];
    const joined = before && before.y !== null && point.x - before.x <= step;
    const key = point.x > now ? "ahead" : "curve";
    const here = `${x(point.x).toFixed(1)},${y(point.y).toFixed(1)}`;
    const lonely = !joined && !(points[at + 1] && points[at + 1].x - point.x <= step);
    const starts = key === "ahead" && joined && before.x <= now ? `M${x(before.x).toFixed(1)},${y(before.y).toFixed(1)}L` : joined ? "L" : "M";
    paths[key] += starts + here + (lonely ? "h.1" : "");
  });
  return [s("path", { class: `curve ${className ?? ""}`, d: paths.curve }), paths.ahead && s("path", { class: `curve ahead ${className ?? ""}`, d: paths.ahead })];
}

function follow({ place, drawing, cross, points, x, describe, pick }) {
  let at = points.length - 1;
  const point = (index) => {
    at = Math.min(Math.max(index, 0), points.length - 1);
    const here = x(points[at].x);
    for (const [name, value] of Object.entries({ x1: here, x2: here, visibility: "visible" })) cross.setAttribute(name, value);
    const lines = describe(at);
    drawing.setAttribute("aria-valuenow", at);
    drawing.setAttribute("aria-valuetext", lines.join(", "));
    tip(place, here, 8, ...lines.map((line, index) => h(index ? "span" : "strong", {}, line)));
  };
  const hide = () => {
    cross.setAttribute("visibility", "hidden");
    tip(place);
  };
  drawing.setAttribute("aria-valuetext", describe(at).join(", "));
  drawing.addEventListener("pointermove", (event) => {
    const here = event.clientX - drawing.getBoundingClientRect().left;
    let nearest = 0;
    points.forEach((one, index) => (Math.abs(x(one.x) - here) < Math.abs(x(points[nearest].x) - here) ? (nearest = index) : 0));
    point(nearest);
  });
  drawing.addEventListener("pointerleave", hide);
  drawing.addEventListener("blur", hide);
  drawing.addEventListener("focus", () => drawing.matches(":focus-visible") && point(at));
  if (pick) drawing.addEventListener("click", () => pick(at));
  drawing.addEventListener("keydown", (event) => {
    const steps = { ArrowRight: at + 1, ArrowLeft: at - 1, PageDown: at - 10, PageUp: at + 10, Home: 0, End: points.length - 1 };
    if (event.key === "Escape") hide();
    if (event.key === "Enter" && pick) pick(at);
    if (!(event.key in steps)) return;
    event.preventDefault();
    point(steps[event.key]);
  });
}

/** Bars of counts, one below the other: `[label, count, className]`. */
export function countBars(rows) {
  const most = Math.max(...rows.map(([, count]) => count), 1);
  return h(
    "div",
    { class: "bars" },
    rows.map(([label, count, className]) => {
      const bar = s("rect", { class: `bar ${className ?? ""}`, width: `${(count / most) * 100}%`, height: "100%", rx: 3 });
      return [h("span", { class: "label" }, label), h("strong", {}, formatNumber(count)), s("svg", { "aria-hidden": "true" }, bar)];
    }),
  );
}
