// Calls the service. Addresses are relative to the page, so that a gateway's stage path stays in front of them.

import { authorization, expired, renew } from "./session.js";

const base = new URL(".", window.location.href.split("#")[0]);

/** An answer other than success, as every error of the service is shaped; `status` is 0 where there was no answer. */
export class ApiError extends Error {
  constructor(status, body, retryAfter) {
    super(body.message ?? `The service answered ${status}.`);
    Object.assign(this, { name: "ApiError", status, code: body.code ?? "error", details: body.details ?? [], requestId: body.request_id, retryAfter });
  }
}

export function urlOf(path, query = {}) {
  const url = new URL(path.replace(/^\//, ""), base);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== "") url.searchParams.append(name, value);
  }
  return url;
}

async function send(method, path, { query, json, body, type, signal, redirect }, proof) {
  const headers = { ...proof };
  if (json !== undefined) headers["Content-Type"] = "application/json";
  if (type) headers["Content-Type"] = type;
  try {
    return await fetch(urlOf(path, query), { method, headers, body: json === undefined ? body : JSON.stringify(json), signal, redirect, cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, { code: "unreachable", message: "The service does not answer. Check the connection and try again." });
  }
}

/** Send a request and return the whole response; an expired session is renewed once, else it leads to the login. */
export async function request(method, path, options = {}) {
  const proof = options.anonymous ? {} : await authorization();
  let answer = await send(method, path, options, proof);
  if (answer.status === 401 && !options.anonymous && (await renew(proof.Authorization))) answer = await send(method, path, options, await authorization());
  if (answer.status === 503 && method === "GET") {
    // The service is busy, and reading twice does no harm.
    await new Promise((resolve) => setTimeout(resolve, 1000 * Math.min(Number(answer.headers.get("Retry-After")) || 1, 5)));
    answer = await send(method, path, options, options.anonymous ? {} : await authorization());
  }
  if (answer.ok || answer.type === "opaqueredirect") return answer;
  const text = await answer.text();
  let body = {};
  try {
    body = JSON.parse(text);
  } catch {
    // Not the service's own answer: a gateway's, perhaps.
  }
  if (answer.status === 401 && !options.anonymous) expired();
  throw new ApiError(answer.status, body, answer.headers.get("Retry-After"));
}

const parsed = async (answer) => (answer.status === 204 ? null : answer.json());
export const get = async (path, query, signal) => parsed(await request("GET", path, { query, signal }));
export const post = async (path, json, query, more = {}) => parsed(await request("POST", path, { json, query, ...more }));
export const put = async (path, json, query) => parsed(await request("PUT", path, { json, query }));
export const remove = async (path, query) => parsed(await request("DELETE", path, { query }));

/** Read a list page by page, up to about `most` entries; `complete` says whether that was all. */
export async function all(path, query, most, signal) {
  const items = [];
  let cursor;
  do {
    const page = await get(path, { limit: Math.min(200, most), ...query, cursor }, signal);
    items.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor && items.length < most);
  return { items, complete: !cursor };
}

/** Ask for each of `inputs`, a few at a time; each call may start a copy of the function. Answers keep the order. */
export async function inTurn(inputs, ask, atOnce = 4) {
  const answers = [];
  let next = 0;
  const work = async () => {
    for (let at = next++; at < inputs.length; at = next++) answers[at] = await ask(inputs[at]);
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return answers;
}

/** One segment of a path. */
export const segment = encodeURIComponent;
