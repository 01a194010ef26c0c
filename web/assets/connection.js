import { find, setText } from "./dom.js";
import { ago } from "./format.js";

/**
 * Says whether what the page shows is live. Only a change of the connection is announced to screen
 * readers; the ages that tick stand outside of the live region.
 */
export class ConnectionView {
  #root = find("#connection");
  #word = find("[data-part=word]", this.#root);
  #reason = find("[data-part=reason]", this.#root);
  #age = find("[data-part=age]", this.#root);
  #status = null;
  #heartbeatAt = null;
  #retryAt = null;

  stand(status) {
    this.#status = status;
    this.#retryAt = status.retry_in_ms === undefined ? null : performance.now() + status.retry_in_ms;
    this.#root.hidden = false;
    this.#root.dataset.status = status.status;
    setText(this.#word, status.status);
    setText(this.#reason, story(status));
    this.tick();
  }

  heartbeat() {
    this.#heartbeatAt = performance.now();
    this.tick();
  }

  /** Brings the ages up to date. */
  tick() {
    setText(this.#age, this.#clock());
  }

  hide() {
    this.#root.hidden = true;
    this.#heartbeatAt = null;
  }

  #clock() {
    if (this.#status?.status === "live" && this.#heartbeatAt !== null) {
      return `heartbeat ${ago(performance.now() - this.#heartbeatAt)}`;
    }
    if (this.#retryAt === null) return "";
    const seconds = Math.ceil((this.#retryAt - performance.now()) / 1000);
    return seconds > 0 ? `trying again in ${seconds} s` : "trying again now";
  }
}

function story({ status, reason, resumed }) {
  if (status !== "live") return reason;
  if (resumed) return "resumed";
  return reason ? `from a snapshot (${reason})` : "from a snapshot";
}
