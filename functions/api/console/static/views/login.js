// The login. It stands where the view would be, so that the address still names the view and its filters.

import { go, route } from "../address.js";
import { card, failure, field, h } from "../elements.js";
import { enter } from "../session.js";

export async function show(place) {
  const username = h("input", { name: "username", autocomplete: "username", autocapitalize: "none", spellcheck: "false", required: true, maxlength: 320 });
  const password = h("input", { name: "password", type: "password", autocomplete: "current-password", required: true, maxlength: 1024 });
  const submit = h("button", { type: "submit", class: "primary" }, "Log in");
  const answer = h("div");
  const send = async (event) => {
    event.preventDefault();
    submit.disabled = true;
    answer.replaceChildren();
    try {
      await enter(username.value, password.value);
      if (route().name === "login") go("overview");
      else window.dispatchEvent(new Event("hashchange"));
    } catch (error) {
      password.value = "";
      answer.replaceChildren(failure(error));
      submit.disabled = false;
      password.focus();
    }
  };
  const form = h(
    "form",
    { class: "stack", onsubmit: send },
    field("Username or email address", username),
    field("Password", password),
    answer,
    h("div", { class: "actions" }, submit),
    h("small", {}, "The session ends when this page is closed or loaded again: nothing of it is stored in the browser."),
  );
  place.append(h("h1", {}, "Log in"), card("Your account", { className: "narrow" }, form));
}
