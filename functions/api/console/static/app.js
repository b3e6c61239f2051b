// Starts the console, and shows the view that the address names: #/contracts/1001?known_at=2024-01-01T00:00:00Z

import { route, to } from "./address.js";
import { button, failure, h, link, loading, put } from "./elements.js";
import { currentUser, isOpen, leave, may, start } from "./session.js";

// Name, title, the role that sees it in the navigation, and its module, which is loaded when it is first shown.
const VIEWS = [
  ["overview", "Overview", "viewer", () => import("./views/overview.js")],
  ["contracts", "Contracts", "viewer", () => import("./views/contracts.js")],
  ["events", "Event log", "viewer", () => import("./views/events.js")],
  ["meters", "Meters", "viewer", () => import("./views/meters.js")],
  ["dead-letters", "Dead letters", "admin", () => import("./views/dead_letters.js")],
  ["users", "Users", "viewer", () => import("./views/users.js")],
];
const LOGIN = ["login", "Log in", null, () => import("./views/login.js")];

const main = document.querySelector("main");
let running = new AbortController();
let shownPath = null;

function navigation(current) {
  const seen = VIEWS.filter(([, , role]) => may(role));
  const item = ([name, title]) => h("a", { href: to(name), "aria-current": name === current ? "page" : null }, title);
  const user = currentUser();
  const account = user
    ? [h("span", { class: "muted" }, h("bdi", {}, user.username), `, ${user.role}`), button("Log out", leave, { class: "quiet" })]
    : isOpen() && h("span", { class: "muted", title: "AUTH_MODE=open: callers need no credentials" }, "open mode");
  document.querySelector(".top nav").replaceChildren(...(user || isOpen() ? seen.map(item) : []));
  document.querySelector(".account").replaceChildren(link("docs", "API"), ...[account || []].flat());
}

/** What a control of the view is called, so that a view shown anew gives the focus back to it. */
const keyOf = (element) => main.contains(element) && (element.labels?.[0]?.textContent || element.getAttribute("aria-label") || element.textContent);

/** Show what the address names; the page is busy until all of it is there. */
async function show() {
  running.abort();
  const { signal } = (running = new AbortController());
  main.setAttribute("aria-busy", "true");
  await showView(signal);
  if (!signal.aborted) main.removeAttribute("aria-busy");
}

async function showView(signal) {
  const asked = route();
  const known = currentUser() || isOpen();
  const view = known ? [...VIEWS, LOGIN].find(([name]) => name === asked.name) : LOGIN;
  navigation(asked.name);
  const path = [known ? "" : "login", asked.name, ...asked.rest].join("/");
  const moved = shownPath !== null && shownPath !== path;
  if (shownPath !== path) main.replaceChildren(loading());
  shownPath = path;
  document.title = `${[view?.[1] ?? "Not found", ...asked.rest].join(" · ")} – Energy Operations`;
  if (!view) {
    main.replaceChildren(h("h1", {}, "There is no such page"), h("p", {}, link("#/", "Go to the overview")));
    return;
  }
  if (view[2] && !may(view[2])) {
    main.replaceChildren(h("h1", {}, view[1]), h("p", {}, `Only the role ${view[2]} may see this.`));
    return;
  }
  try {
    const module = await view[3]();
    if (signal.aborted) return;
    const place = h("div", { class: "view" });
    await module.show(place, { ...asked, signal });
    if (signal.aborted) return;
    const held = keyOf(document.activeElement);
    // What is loaded later may not move what is being looked at.
    main.style.minHeight = moved ? "" : `${main.offsetHeight}px`;
    put(main, place);
    if (moved) window.scrollTo(0, 0);
    if (moved) main.focus({ preventScroll: true });
    else if (held) [...main.querySelectorAll("a, button, input, select")].find((one) => keyOf(one) === held)?.focus({ preventScroll: true });
  } catch (error) {
    if (signal.aborted || error.name === "AbortError") return;
    // A module that cannot be loaded: the service may have been deployed anew.
    const again = error instanceof TypeError ? () => window.location.reload() : show;
    main.replaceChildren(h("h1", {}, view[1]), failure(error, again));
  }
}

window.addEventListener("hashchange", show);
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address names the view, not a place on the page
  main.focus();
});
await start();
show();
