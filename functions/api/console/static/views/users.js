// Users and API keys: for admins all users, for everyone who has logged in their own keys.

import { get, post, put, remove, segment } from "../api.js";
import { button, card, chip, dialog, empty, failure, field, fill, h, link, select, table, toast } from "../elements.js";
import { formatInstant } from "../format.js";
import { paged } from "../paged.js";
import { currentUser, may } from "../session.js";

const ROLES = ["viewer", "operator", "admin"];
const roles = (chosen, onchange, more) => select(ROLES.filter((role) => may(role)).map((role) => [role, role]), chosen, onchange, more);

export async function show(place, { signal }) {
  place.append(h("div", { class: "title" }, h("div", {}, h("h1", {}, may("admin") ? "Users and API keys" : "API keys"), h("p", { class: "muted" }, "A viewer reads. An operator also creates contracts, sends events, stores readings and exports. An admin may do everything."))));
  if (may("admin")) place.append(userCard(signal));
  place.append(currentUser() ? keyCard(signal) : card("Your API keys", {}, empty("API keys belong to users. ", link("#/login", "Log in"), " to create one.")));
}

const COLUMNS = ["User", "Email address", "Role", "State", "Created", ""];

function userCard(signal) {
  const place = h("div");
  const read = () => place.replaceChildren(listOf(signal));
  read();
  return card("Users", { extra: button("New user", () => createUser().then((made) => made && read())) }, place);
}

const listOf = (signal) =>
  paged(
    (cursor) => get("api/v1/users", { limit: 50, cursor }, signal),
    (users) => table("Users in the order of their creation", COLUMNS, users.map(rowOf)),
    () => empty("There is no user yet."),
    signal,
  );

function rowOf(user) {
  const own = user.id === currentUser()?.id;
  const change = async (control, changes, said) => {
    const changed = await attempt(() => put(`api/v1/users/${segment(user.id)}`, changes), said);
    // Only this row is drawn anew, also where nothing was changed, and the focus stays in its place.
    const row = control.closest("tr");
    const at = [...row.querySelectorAll("select, button")].indexOf(control);
    const [fresh] = table("", COLUMNS, [rowOf(changed ?? user)]).tBodies[0].rows;
    row.replaceWith(fresh);
    fresh.querySelectorAll("select, button")[at]?.focus();
  };
  const [verb, said, kind] = user.is_active ? ["Deactivate", "has no access any more.", "danger"] : ["Activate", "has access again.", ""];
  const role = roles(user.role, (value) => change(role, { role: value }, `${user.username} is ${value} now.`), { "aria-label": `Role of ${user.username}` });
  const toggle = button(verb, () => change(toggle, { is_active: !user.is_active }, `${user.username} ${said}`), { class: kind, "aria-label": `${verb} ${user.username}` });
  const name = [user.first_name, user.last_name].filter(Boolean).join(" ");
  return [
    [h("strong", {}, h("bdi", {}, user.username)), own && " (you)", name && h("div", { class: "muted small" }, h("bdi", {}, name))],
    h("bdi", {}, user.email),
    own ? user.role : role,
    user.is_active ? chip("good", "active") : chip("", "deactivated"),
    formatInstant(user.created_at),
    own ? "" : toggle,
  ];
}

/** Do something and say that it is done, or why not; gives what it gave, or undefined. */
async function attempt(work, said) {
  try {
    const done = await work();
    toast(said);
    return done;
  } catch (error) {
    await dialog("Not done", (close) => h("div", {}, failure(error), h("div", { class: "actions" }, button("Close", () => close()))));
    return undefined;
  }
}

/** A form in a dialog; gives what `send` gave, or undefined where it was cancelled. */
function ask(title, label, fields, send) {
  return dialog(title, (close) => {
    const answer = h("div");
    const submit = async (event) => {
      event.preventDefault();
      try {
        close(await send());
      } catch (error) {
        answer.replaceChildren(failure(error));
      }
    };
    return h("form", { class: "stack", onsubmit: submit }, fields, answer, h("div", { class: "actions" }, button("Cancel", () => close()), h("button", { type: "submit", class: "primary" }, label)));
  });
}

function createUser() {
  const username = h("input", { name: "username", required: true, maxlength: 64, autocomplete: "off", autocapitalize: "none" });
  const email = h("input", { name: "email", type: "email", required: true, maxlength: 254, autocomplete: "off" });
  const password = h("input", { name: "password", type: "password", required: true, autocomplete: "new-password" });
  const role = roles("viewer", null, { name: "role" });
  const fields = [field("Username", username), field("Email address", email), field("First password", password, "The user changes it at their own account"), field("Role", role)];
  return ask("New user", "Create", fields, async () => {
    const user = await post("api/v1/users", { username: username.value, email: email.value, password: password.value, role: role.value });
    toast(`${user.username} can log in now.`);
    return user;
  });
}

function keyCard(signal) {
  const place = h("div");
  const create = button("New API key", () => createKey().then(read));
  const read = () => fill(place, async () => keysOf((await get("api/v1/api-keys", {}, signal)).items, removed), signal);
  const removed = () => {
    read();
    create.focus(); // the row with the focus is gone
  };
  read();
  return card("Your API keys", { extra: create }, h("p", { class: "muted" }, "A machine sends its key in the header X-API-Key. A key never has more rights than you."), place);
}

function keysOf(keys, removed) {
  if (!keys.length) return empty("You have no API key.");
  const rows = keys.map((key) => [
    h("bdi", {}, key.name),
    key.role,
    formatInstant(key.created_at),
    key.last_used_at ? formatInstant(key.last_used_at) : "never",
    button("Delete", () => revoke(key, removed), { class: "danger", "aria-label": `Delete the key ${key.name}` }),
  ]);
  return table("Your API keys, the oldest first", ["Name", "Role", "Created", "Last used", ""], rows);
}

async function revoke(key, removed) {
  const sure = await dialog("Delete the API key", (close) =>
    h("div", {}, h("p", {}, "The next request with the key ", h("strong", {}, h("bdi", {}, key.name)), " is refused."), h("div", { class: "actions" }, button("Cancel", () => close()), button("Delete the key", () => close(true), { class: "danger" }))),
  );
  if (sure) await attempt(() => remove(`api/v1/api-keys/${segment(key.id)}`), "The key is deleted.");
  if (sure) removed();
}

async function createKey() {
  const name = h("input", { name: "name", required: true, maxlength: 100, autocomplete: "off" });
  const role = roles("viewer", null, { name: "role" });
  const made = await ask("New API key", "Create", [field("Name", name, "What uses it, such as: meter gateway"), field("Role", role)], () => post("api/v1/api-keys", { name: name.value, role: role.value }));
  if (!made) return;
  await dialog("Your new API key", (close) => {
    const key = h("input", { readonly: true, class: "mono", ".value": made.key, onfocus: (event) => event.target.select() });
    return h("div", { class: "stack" }, field("Key", key, "Copy it now: it is shown this once and never again."), h("div", { class: "actions" }, button("I have copied it", () => close(), { class: "primary" })));
  });
}
