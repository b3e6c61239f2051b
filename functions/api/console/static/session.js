// Who uses the console. The tokens are kept in this module alone: what is stored in a browser, other scripts and other
// people at the same machine can read. So a page that is loaded again asks for a login again, at the same address.

import { get, post } from "./api.js";

const ROLES = ["viewer", "operator", "admin"];
const EARLY_MILLISECONDS = 30_000;

let open = false;
let user = null;
let tokens = null;
let renewing = null;

/** Find out whether the service asks for credentials: it says so in the page. */
export async function start() {
  open = document.querySelector('meta[name="auth-mode"]')?.content === "open";
}

function keep(answer) {
  tokens = { access: answer.access_token, refresh: answer.refresh_token, until: Date.now() + 1000 * answer.expires_in };
}

/** Log in, and learn who that is. */
export async function enter(username, password) {
  keep(await post("api/v1/auth/login", { username, password }, {}, { anonymous: true }));
  user = await get("api/v1/users/me");
}

const bearer = () => `Bearer ${tokens.access}`;

/** The headers that prove who calls; an access token that is about to expire is renewed first. */
export async function authorization() {
  if (tokens && Date.now() > tokens.until - EARLY_MILLISECONDS) await renew(bearer());
  return tokens ? { Authorization: bearer() } : {};
}

/**
 * Get a new access token, unless the `refused` header has an older one than there is; true where there is a new one.
 * However many requests ask at the same time, one is sent: a refresh token that comes twice ends the session.
 */
export async function renew(refused) {
  if (!tokens || refused !== bearer()) return Boolean(tokens);
  renewing ??= post("api/v1/auth/refresh", { refresh_token: tokens.refresh }, {}, { anonymous: true })
    .then(keep)
    .finally(() => {
      renewing = null;
    });
  try {
    await renewing;
    return true;
  } catch (error) {
    if (error.status === 401) return false;
    throw error; // the service does not answer now; that ends no session
  }
}

/** The session has ended: the login is shown, at the address where one was. */
export function expired() {
  if (open && !tokens) return;
  tokens = user = null;
  window.dispatchEvent(new Event("hashchange"));
}

/** Who is logged in: a user of the API, or null where nobody is. */
export const currentUser = () => user;

/** Whether the user has the rights of `role`: viewer, operator or admin. */
export const may = (role) => ROLES.indexOf(role) <= ROLES.indexOf(user ? user.role : open ? "admin" : "");

/** Whether the service may be used without a login. */
export const isOpen = () => open;

/** End the session. */
export async function leave() {
  const refresh_token = tokens?.refresh;
  expired();
  // Nothing is left to be done if this fails: the tokens are forgotten, and expire.
  if (refresh_token) await post("api/v1/auth/logout", { refresh_token }, {}, { anonymous: true }).catch(() => {});
}
