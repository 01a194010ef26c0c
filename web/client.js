/**
 * Browser client of the replication gateway: follows its stream of changes and
 * keeps a local copy of the state, through restarts, lost networks and promotions.
 *
 *     import { connect } from "https://gateway.example/client.js";
 *
 *     const client = connect({ token });
 *     client.addEventListener("status", ({ detail }) => console.log(detail.status, detail.reason));
 *     client.addEventListener("state", () => draw(client.state));
 *     client.addEventListener("commit", ({ detail }) => redraw(detail.entries, detail.before));
 *
 * Promises:
 *
 *  - Commits are applied whole, in order, without a gap or a repeat. A listener never sees half
 *    of a commit or of a snapshot.
 *  - After any loss the client resumes where it stood. When the gateway cannot resume, a snapshot
 *    replaces the state and a `state` event says so; until then the old state stays readable.
 *  - Kinds of frames, collections and records that this version does not know are ignored.
 *  - What comes off the wire keeps its wire names. Sequence numbers are exact up to 2^53 - 1.
 *
 * Events, each a CustomEvent:
 *
 *  - `status`    {@link Status}: where the connection stands
 *  - `state`     {@link Position}: a snapshot has replaced `client.state`
 *  - `commit`    {@link Commit}: a commit has been applied to `client.state`
 *  - `position`  {@link Position}: the client stands further on, with or without a visible commit
 *  - `heartbeat` the frame itself: the gateway is there and the client has all up to its seq_no
 *
 * @module
 */

/**
 * @typedef {{epoch: string, seq_no: number}} Position
 *
 * @typedef {object} Entry one change inside a commit
 * @property {number} seq_no
 * @property {string} type kind and verb, as in `member.put`
 * @property {number} [network_id]
 * @property {number} [node_id]
 * @property {string} at RFC 3339
 * @property {string} actor
 * @property {object} data the new record of a put, the key fields of a delete
 *
 * @typedef {object} Commit
 * @property {string} epoch
 * @property {number} seq_no
 * @property {Entry[]} entries
 * @property {(object|undefined)[]} before the record that the entry at the same index replaced or removed
 *
 * @typedef {object} Status
 * @property {"connecting"|"live"|"stale"|"closed"} status `connecting` holds no state yet, `stale`
 *   holds one that is no longer followed, `closed` will not try again
 * @property {string} reason in words, may be empty
 * @property {boolean} [resumed] when live: resumed (true) or started from a snapshot (false)
 * @property {number} [code] close code of the socket, or the HTTP status of a refusal
 * @property {number} [retry_in_ms] when the next attempt is made
 *
 * @typedef {object} Options
 * @property {string} token
 * @property {string|URL} [url] of the gateway; by default the one that served this file
 * @property {number[]} [networks] follow these networks only
 */

const TOKEN_ENDED = 4403;
const DEFAULT_INTERVAL_MS = 15_000;
const BACKOFF_BASE_MS = 500;
const BACKOFF_CAP_MS = 30_000;
const PROBE_TIMEOUT_MS = 5_000;

/**
 * Opens a connection and keeps it open. Listeners added in the same turn miss nothing but the
 * first `connecting`, which `client.status` holds.
 *
 * @param {Options} options
 * @returns {GatewayClient}
 */
export function connect(options) {
  const client = new GatewayClient(options);
  client.open();
  return client;
}

/**
 * The form in which external ids are compared. Letter by letter, because lower-casing a whole
 * string turns a final sigma into another letter than the gateway does.
 *
 * @param {string} id
 */
export function normalizeExternalID(id) {
  let out = "";
  for (const letter of id) out += letter.toLowerCase();
  return out;
}

/** Kind of record → its collection and the fields of its key. */
const KINDS = new Map([
  ["network", ["networks", "network_id"]],
  ["node", ["nodes", "node_id"]],
  ["member", ["members", "network_id", "node_id"]],
  ["assignment", ["assignments", "network_id", "external_id"]],
  ["user", ["users", "network_id", "external_id"]],
  ["group", ["groups", "network_id", "group_id"]],
  ["sync", ["syncs", "network_id"]],
]);

/**
 * The records by key. Kinds that belong to a network are Maps of Maps: the network's id first,
 * then the key inside it, external ids in normalised form. An empty inner Map is not kept.
 * Readers must not change it.
 */
export class State {
  /** @type {Map<number, object>} */ networks = new Map();
  /** @type {Map<number, object>} */ nodes = new Map();
  /** @type {Map<number, Map<number, object>>} */ members = new Map();
  /** @type {Map<number, Map<string, object>>} */ assignments = new Map();
  /** @type {Map<number, Map<string, object>>} */ users = new Map();
  /** @type {Map<number, Map<string, object>>} */ groups = new Map();
  /** @type {Map<number, object>} */ syncs = new Map();

  /**
   * Carries out one entry.
   *
   * @param {Entry} entry
   * @returns {object|undefined} the record that was there before
   */
  apply(entry) {
    const [kind, verb] = entry.type.split(".");
    if (!KINDS.has(kind)) return undefined;
    if (verb === "put") return this.#put(kind, entry.data);
    if (verb === "delete") return this.#delete(kind, entry.data);
    return undefined;
  }

  /** Adds the rows of a snapshot, or of one part of it. */
  load(snapshot) {
    for (const [kind, [collection]] of KINDS) {
      for (const record of snapshot[collection] ?? []) this.#put(kind, record);
    }
  }

  #put(kind, record) {
    const [collection, first, second] = KINDS.get(kind);
    let rows = this[collection];
    let key = record[first];
    if (second) {
      if (!rows.has(key)) rows.set(key, new Map());
      rows = rows.get(key);
      key = innerKey(second, record);
    }
    const before = rows.get(key);
    rows.set(key, record);
    return before;
  }

  #delete(kind, record) {
    const [collection, first, second] = KINDS.get(kind);
    const outer = this[collection];
    const rows = second ? outer.get(record[first]) : outer;
    const key = second ? innerKey(second, record) : record[first];
    const before = rows?.get(key);
    rows?.delete(key);
    if (second && rows?.size === 0) outer.delete(record[first]);
    return before;
  }
}

function innerKey(field, record) {
  return field === "external_id" ? normalizeExternalID(record[field]) : record[field];
}

/** A stream that broke the protocol. The position still holds, so a new stream mends it. */
export class ProtocolError extends Error {
  name = "ProtocolError";
}

/** Turns the frames of one stream after another into a state and a position. No I/O, no clock. */
export class Replica {
  state = new State();
  /** @type {Position|null} */ position = null;
  #stream = newStream();

  /** Starts a new stream. What an older one left unfinished is dropped. */
  begin() {
    this.#stream = newStream();
  }

  /**
   * Takes one frame and yields what happened, each right after it was applied.
   *
   * @param {object} frame
   * @returns {Generator<{type: string, detail: object}>}
   * @throws {ProtocolError} before anything of the frame is applied
   */
  *accept(frame) {
    const take = { heartbeat: this.#heartbeat, snapshot: this.#snapshot, delta: this.#delta };
    if (!Object.hasOwn(take, frame.type)) return;
    const stream = this.#stream;
    stream.epoch ??= frame.epoch;
    if (frame.epoch !== stream.epoch) throw new ProtocolError("the epoch changed inside a stream");
    if (stream.rows && frame.type !== "snapshot") throw new ProtocolError("a snapshot was cut short");
    if (stream.entries.length && frame.type !== "delta") throw new ProtocolError("a commit was cut short");
    yield* take[frame.type].call(this, frame);
  }

  *#heartbeat(frame) {
    const stream = this.#stream;
    if (!stream.opened) {
      stream.opened = true;
      if (frame.resumed) yield this.#resume(frame);
      else stream.reason = frame.reason ?? "";
    } else if (stream.ready && frame.seq_no > this.position.seq_no) {
      stream.seqNo = frame.seq_no; // commits in between had nothing that we may see
      this.#moveTo(frame.seq_no);
    }
    yield { type: "heartbeat", detail: frame };
  }

  #resume(frame) {
    if (frame.seq_no !== this.position?.seq_no) {
      this.position = null;
      throw new ProtocolError("resumed at another position than the one asked for");
    }
    this.#stream.ready = true;
    this.#stream.seqNo = frame.seq_no;
    this.#moveTo(frame.seq_no);
    return { type: "ready", detail: { resumed: true, reason: "" } };
  }

  *#snapshot(frame) {
    const stream = this.#stream;
    if (stream.rows && frame.seq_no !== stream.seqNo) throw new ProtocolError("parts of two snapshots");
    stream.seqNo = frame.seq_no;
    stream.rows ??= new State();
    stream.rows.load(frame.snapshot);
    if (frame.more) return;
    this.state = stream.rows;
    stream.rows = null;
    this.#moveTo(frame.seq_no);
    yield { type: "state", detail: this.position };
    if (!stream.ready) yield { type: "ready", detail: { resumed: false, reason: stream.reason } };
    stream.ready = true;
  }

  *#delta(frame) {
    const stream = this.#stream;
    if (!stream.ready) throw new ProtocolError("a delta came before the snapshot");
    if (frame.prev_seq_no !== stream.seqNo) {
      throw new ProtocolError(`a gap: stood at ${stream.seqNo}, the next frame follows ${frame.prev_seq_no}`);
    }
    stream.seqNo = frame.seq_no;
    for (const entry of frame.entries) stream.entries.push(entry);
    if (frame.more) return;
    const entries = stream.entries;
    stream.entries = [];
    for (const commit of commitsOf(entries)) {
      const before = commit.map((entry) => this.state.apply(entry));
      this.#moveTo(commit[0].seq_no);
      yield { type: "commit", detail: { ...this.position, entries: commit, before } };
    }
    this.#moveTo(frame.seq_no);
  }

  #moveTo(seqNo) {
    this.position = Object.freeze({ epoch: this.#stream.epoch, seq_no: seqNo });
  }
}

/**
 * What is known of one stream: `seqNo` of its newest frame (the position lags behind it while a
 * commit is unfinished), `rows` of an unfinished snapshot, `entries` of an unfinished commit.
 */
function newStream() {
  return { epoch: undefined, seqNo: 0, opened: false, ready: false, reason: "", rows: null, entries: [] };
}

/** Cuts entries where their seq_no changes. */
function* commitsOf(entries) {
  let start = 0;
  for (let i = 1; i <= entries.length; i++) {
    if (i < entries.length && entries[i].seq_no === entries[start].seq_no) continue;
    yield entries.slice(start, i);
    start = i;
  }
}

/** Keeps one stream open and its {@link Replica} up to date. See the top of this file. */
export class GatewayClient extends EventTarget {
  #url;
  #token;
  #networks;
  #replica = new Replica();
  #standing = { status: "closed", reason: "not opened" };

  /** @type {WebSocket|null} */ #socket = null;
  #intervalMs = DEFAULT_INTERVAL_MS;
  #heardAt = 0;
  #attempt = 0;
  #watchdog;
  #retryTimer;
  #onOnline = () => this.#retryTimer && this.#dial();

  /** @param {Options} options */
  constructor({ token, url = new URL(".", import.meta.url), networks = [] }) {
    super();
    if (!token) throw new TypeError("a token is needed");
    this.#token = token;
    this.#url = new URL(url);
    if (!this.#url.pathname.endsWith("/")) this.#url.pathname += "/";
    this.#networks = networks;
  }

  /** The local copy. Another object after each `state` event. */
  get state() {
    return this.#replica.state;
  }

  /** @returns {Position|null} where the local copy stands; null before the first snapshot */
  get position() {
    return this.#replica.position;
  }

  /** @returns {Status} */
  get status() {
    return this.#standing;
  }

  /** Opens the stream; nothing happens if it is open already. A closed client goes on where it stood. */
  open() {
    if (this.#standing.status !== "closed") return;
    globalThis.addEventListener?.("online", this.#onOnline);
    this.#attempt = 0;
    this.#waiting({ reason: "" });
    if (this.#standing.status !== "closed") this.#dial(); // else a listener has closed it
  }

  /** Ends the stream for good. State and position stay readable. */
  close() {
    if (this.#standing.status !== "closed") this.#end({ reason: "closed by the client" });
  }

  #dial() {
    this.#forget();
    this.#replica.begin();
    const protocols = ["gateway.v1", `gateway.token.${base64url(this.#token)}`];
    const socket = new WebSocket(this.#subscribeURL(true), protocols);
    let opened = false;
    socket.onopen = () => (opened = true);
    socket.onmessage = ({ data }) => this.#receive(socket, data);
    socket.onclose = ({ code, reason }) => (opened ? this.#lost(code, reason) : this.#refused(socket));
    this.#socket = socket;
    this.#intervalMs = DEFAULT_INTERVAL_MS; // however often the last stream was heard of
    this.#heardAt = performance.now();
    this.#watch();
  }

  #receive(socket, data) {
    this.#heardAt = performance.now();
    const from = this.position;
    try {
      for (const event of this.#replica.accept(JSON.parse(data))) {
        if (event.type === "ready") this.#stand({ status: "live", ...event.detail });
        else this.#emit(event.type, event.detail);
        if (this.#socket !== socket) return; // a listener has closed or reopened the client
        if (event.type === "heartbeat") this.#beat(event.detail);
      }
    } catch (fault) {
      if (!(fault instanceof ProtocolError || fault instanceof SyntaxError)) reportError(fault);
      this.#retry({ reason: fault.message });
    }
    if (this.position && this.position !== from) this.#emit("position", this.position);
  }

  #beat({ resumed, interval_ms: intervalMs }) {
    if (intervalMs > 0) this.#intervalMs = intervalMs;
    // The opening heartbeat proves nothing yet. A stream that lasts an interval ends the back-off.
    if (resumed === undefined) this.#attempt = 0;
    clearTimeout(this.#watchdog);
    this.#watch();
  }

  /**
   * Two silent intervals mean that the gateway is gone, whatever TCP still believes. What came while
   * the page stood still is taken first: the timer may be due before it.
   */
  #watch(again = false) {
    const limit = 2 * this.#intervalMs;
    const left = this.#heardAt + limit - performance.now();
    if (left > 0) this.#watchdog = setTimeout(() => this.#watch(), left);
    else if (!again) this.#watchdog = setTimeout(() => this.#watch(true));
    else this.#retry({ reason: `nothing heard for ${Math.round(limit / 1000)} s` });
  }

  #lost(code, reason) {
    if (code === TOKEN_ENDED) this.#end({ reason: reason || "token revoked or expired", code });
    else this.#retry({ reason: reason || "connection lost", code, retry_in_ms: retryInMs(reason) });
  }

  /** A browser hides why a handshake failed, so the same question is put over plain HTTP. */
  async #refused(socket) {
    clearTimeout(this.#watchdog);
    const { status: code, retryAfter } = await this.#probe();
    if (this.#socket !== socket) return;
    const reason = refusal(code);
    // 426 says that the token is good and only the handshake went astray.
    const final = code >= 400 && code < 500 && ![408, 425, 426, 429].includes(code);
    if (final) this.#end({ reason, code });
    else this.#retry({ reason, code: code || undefined, retry_in_ms: retryAfter });
  }

  async #probe() {
    if (/[^\x20-\x7e]/.test(this.#token)) return { status: 401 }; // no token has that, nor can every header carry it
    try {
      const answer = await fetch(this.#subscribeURL(false), {
        headers: { Authorization: `Bearer ${this.#token}` },
        signal: AbortSignal.timeout(PROBE_TIMEOUT_MS),
        cache: "no-store",
        credentials: "same-origin", // as the WebSocket
      });
      answer.body?.cancel();
      const seconds = Number(answer.headers.get("Retry-After"));
      return { status: answer.status, retryAfter: seconds > 0 ? seconds * 1000 : undefined };
    } catch {
      return { status: 0 };
    }
  }

  /** Tries again after the time that the gateway named, and a random one that may grow (full jitter). */
  #retry({ reason, code, retry_in_ms: named }) {
    this.#forget();
    const ceiling = Math.min(BACKOFF_CAP_MS, BACKOFF_BASE_MS * 2 ** this.#attempt++);
    const delay = Math.round((named ?? 0) + Math.random() * ceiling);
    this.#retryTimer = setTimeout(() => this.#dial(), delay);
    this.#waiting({ reason, code, retry_in_ms: delay });
  }

  #end(detail) {
    this.#forget();
    globalThis.removeEventListener?.("online", this.#onOnline);
    this.#stand({ status: "closed", ...detail });
  }

  /** Lets go of socket and timers, at once: the closing handshake of a dead peer would take long. */
  #forget() {
    clearTimeout(this.#watchdog);
    clearTimeout(this.#retryTimer);
    this.#retryTimer = undefined;
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  #waiting(detail) {
    this.#stand({ status: this.position ? "stale" : "connecting", ...detail });
  }

  #stand(standing) {
    this.#standing = Object.freeze(standing);
    this.#emit("status", standing);
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  #subscribeURL(socket) {
    const url = new URL("subscribe", this.#url);
    if (socket) url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    for (const id of this.#networks) url.searchParams.append("network_id", id);
    if (socket && this.position) {
      url.searchParams.set("epoch", this.position.epoch);
      url.searchParams.set("since", this.position.seq_no);
    }
    return url;
  }
}

/** An answer to the question why there is no socket, in words; 0 stands for no answer. */
function refusal(status) {
  if (status === 0) return "gateway not reachable";
  if (status === 401) return "token not accepted";
  if (status === 403) return "token may not follow this";
  if (status === 426 || status < 400) return "no WebSocket on the way to the gateway";
  if (status === 408 || status === 425 || status === 429 || status >= 500) return "gateway not available";
  return `refused with status ${status}`;
}

/** The wait that a close reason such as `retry in 750 ms` names, in milliseconds. */
export function retryInMs(reason) {
  const found = /retry in (\d+) ms/.exec(reason);
  return found ? Number(found[1]) : undefined;
}

function base64url(text) {
  const bytes = String.fromCharCode(...new TextEncoder().encode(text));
  return btoa(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
