import { find, setText } from "./dom.js";

/** The form that asks for a token. `onToken` gets what was entered. */
export class SignIn {
  #form = find("#signin");
  #input = find("#token");
  #fault = find("[data-part=fault]", this.#form);

  constructor(onToken) {
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      const token = this.#input.value.trim();
      if (token) onToken(token);
    });
  }

  /** Shows the form, with what was wrong with the last token, if anything. */
  ask(fault = "") {
    this.#input.value = "";
    setText(this.#fault, fault);
    this.#fault.hidden = fault === "";
    this.#form.hidden = false;
    this.#input.focus();
  }

  hide() {
    this.#form.hidden = true;
    this.#input.value = "";
  }
}
