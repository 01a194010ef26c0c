/** Puts the dashboard together: one client feeds the views; one clock lets their ages tick. */

import { connect } from "../client.js";
import { ConnectionView } from "./connection.js";
import { find, oncePerFrame } from "./dom.js";
import { FeedView } from "./feed.js";
import { MembersView } from "./members.js";
import { NetworksView } from "./networks.js";
import { RateView } from "./rate.js";
import { currentToken, forgetToken, keepToken, onTokenInAddress } from "./session.js";
import { SignIn } from "./signin.js";
import { TotalsView } from "./totals.js";

const TICK_MS = 1_000;
/** Ends after which only another token helps: revoked, unknown, not allowed. */
const TOKEN_FAULTS = new Set([4403, 401, 403]);

class Dashboard {
  #root = find("#dashboard");
  #opening = find("#opening");
  #signOut = find("#sign-out");
  #connection = new ConnectionView();
  #totals = new TotalsView();
  #networks = new NetworksView((id) => this.#choose(id, true));
  #members = new MembersView();
  #feed = new FeedView();
  #rate = new RateView();
  #signIn = new SignIn((token) => {
    keepToken(token);
    this.start(token);
  });
  #client = null;
  #chosen = null;
  #drawTotals = oncePerFrame(() => this.#client && this.#totals.render(this.#client.state, this.#client.position));

  constructor() {
    this.#signOut.addEventListener("click", () => this.#ask());
    setInterval(() => this.#tick(), TICK_MS);
  }

  /** Follows the gateway with this token, or asks for one if it is null. */
  start(token) {
    if (!token) return this.#ask();
    this.#leave();
    this.#signIn.hide();
    this.#signOut.hidden = false;
    this.#opening.hidden = false;
    this.#client = this.#follow(connect({ token }));
    this.#connection.stand(this.#client.status);
  }

  #follow(client) {
    const current = (use) => (event) => client === this.#client && use(event.detail);
    const on = (type, use) => client.addEventListener(type, current(use));
    on("status", (status) => this.#stand(status));
    on("state", () => this.#reset(client.state));
    on("commit", (commit) => this.#note(commit, client.state));
    on("position", this.#drawTotals);
    on("heartbeat", () => this.#connection.heartbeat());
    return client;
  }

  #stand(status) {
    if (TOKEN_FAULTS.has(status.code) && status.status === "closed") this.#ask(status.reason);
    else this.#connection.stand(status);
  }

  #reset(state) {
    this.#root.hidden = false;
    this.#opening.hidden = true;
    this.#networks.reset(state);
    this.#members.reset(state);
    if (!state.networks.has(this.#chosen)) this.#chooseFirst(state);
    this.#drawTotals();
  }

  #note(commit, state) {
    this.#networks.note(commit);
    this.#members.note(commit);
    this.#feed.note(commit, state);
    this.#rate.note();
    if (!state.networks.has(this.#chosen)) this.#chooseFirst(state);
  }

  #chooseFirst(state) {
    this.#choose(state.networks.size ? Math.min(...state.networks.keys()) : null);
  }

  #choose(id, byHand = false) {
    this.#chosen = id;
    this.#networks.choose(id);
    this.#members.choose(id);
    if (byHand) this.#members.reveal();
  }

  #tick() {
    this.#connection.tick();
    if (this.#root.hidden) return;
    this.#networks.tick();
    this.#rate.tick();
  }

  /** Forgets the token and asks for another. */
  #ask(fault) {
    this.#leave();
    forgetToken();
    this.#connection.hide();
    this.#opening.hidden = true;
    this.#signOut.hidden = true;
    this.#signIn.ask(fault);
  }

  /** Lets go of the client and hides what was shown to the holder of its token. */
  #leave() {
    const client = this.#client;
    this.#client = null;
    client?.close();
    this.#feed.clear();
    this.#root.hidden = true;
  }
}

const dashboard = new Dashboard();
onTokenInAddress((token) => dashboard.start(token));
dashboard.start(currentToken());
