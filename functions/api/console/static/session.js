// Who uses the console. This file keeps what api.js sends, and nothing of it is stored beyond the page.

/** Find out whether the service asks for credentials. */
export async function start() {}

/** The headers that prove who calls. */
export const authorization = () => ({});

/** Get a new access token; true where that worked. */
export const renew = async () => false;

/** The session has ended: lead to the login, and back afterwards. */
export function expired() {}

/** Who is logged in: a user of the API, or null where the service is open to everybody. */
export const currentUser = () => null;

/** Whether the user has the rights of `role`: viewer, operator or admin. */
export const may = (role) => Boolean(role);

/** Whether a view may be shown without a login. */
export const isOpen = () => true;

/** End the session. */
export async function leave() {}
