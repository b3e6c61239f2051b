// A list that is read page by page.

import { button, fill, h } from "./elements.js";

/**
 * Show the first page, and with a button the next ones. `read(cursor)` gets a page, `draw(items)` shows all that was read, `none()`
 * what to show without any.
 */
export function paged(read, draw, none, signal) {
  const place = h("div");
  const items = [];
  let cursor;
  const next = async () => {
    const before = items.length;
    do {
      const page = await read(cursor);
      items.push(...page.items);
      cursor = page.next_cursor;
      // With a filter a page may be empty although more follow.
    } while (cursor && items.length === before && !signal.aborted);
    const more = button("Show more", async (event) => {
      event.target.disabled = true;
      await fill(place, next, signal);
      place.querySelectorAll("tbody tr")[before + 50]?.querySelector("a, button")?.focus();
    });
    return [items.length ? draw(items) : none(), cursor ? h("p", { class: "actions" }, more) : ""];
  };
  fill(place, next, signal);
  return place;
}
