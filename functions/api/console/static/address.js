// What the address names: a view and its filters, as in #/contracts/1001?known_at=2024-01-01T00:00:00Z

/** The view and filters that the address names. */
export function route() {
  const [path, query] = window.location.hash.replace(/^#\/?/, "").split("?");
  const segments = path.split("/").filter(Boolean).map(decoded);
  return { name: segments[0] ?? "overview", rest: segments.slice(1), query: new URLSearchParams(query ?? "") };
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The address of a view: `to("contracts", "1001", { known_at })`. */
export function to(...parts) {
  const query = typeof parts.at(-1) === "object" ? parts.pop() : {};
  const chosen = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const path = parts.map(encodeURIComponent).join("/");
  return `#/${path}${chosen.length ? `?${new URLSearchParams(chosen)}` : ""}`;
}

export const go = (...parts) => {
  window.location.hash = to(...parts);
};

/** Note changed filters in the address: as a step to which one can go back and which shows the view anew, or silently. */
export function note(changes, { silently = false } = {}) {
  const { name, rest, query } = route();
  const address = to(name, ...rest, { ...Object.fromEntries(query), ...changes });
  if (silently) window.history.replaceState(null, "", address);
  else window.location.hash = address;
}
