import { find, flash, h, oncePerFrame, setText } from "./dom.js";
import { actorName, clock, counted, number } from "./format.js";
import { tell } from "./words.js";

const KEPT = 100;
const LINES = 6;

/**
 * The newest commits in words, newest first. It keeps no more than it shows, so a flood costs one
 * bounded redraw a frame. Paused, it holds still and counts what waits.
 */
export class FeedView {
  #list = find("#feed");
  #empty = find("#feed-empty");
  #pauseButton = find("#feed-pause");
  #waiting = [];
  #waitingCount = 0;
  #paused = false;
  #draw = oncePerFrame(() => this.#render());

  constructor() {
    this.#pauseButton.addEventListener("click", () => {
      this.#paused = !this.#paused;
      this.#pauseButton.setAttribute("aria-pressed", this.#paused);
      this.#draw();
    });
  }

  /** Takes a commit in. Its words are found now, while `state` is the one right after it. */
  note(commit, state) {
    const [{ at, actor }] = commit.entries; // of which there may be very many
    this.#waiting.push({ seqNo: commit.seq_no, at, actor, ...tell(commit, state, LINES) });
    this.#waitingCount++;
    if (this.#waiting.length > 2 * KEPT) this.#waiting.splice(0, KEPT);
    this.#draw();
  }

  clear() {
    this.#waiting = [];
    this.#waitingCount = 0;
    this.#list.replaceChildren();
    this.#draw();
  }

  #render() {
    const held = this.#paused && this.#waitingCount > 0;
    setText(this.#pauseButton, this.#paused ? `Resume${held ? ` (${number(this.#waitingCount)} new)` : ""}` : "Pause");
    if (!this.#paused) this.#show();
    this.#empty.hidden = this.#list.childElementCount > 0;
  }

  #show() {
    const items = this.#waiting.slice(-KEPT).reverse().map(commitItem);
    this.#waiting = [];
    this.#waitingCount = 0;
    this.#list.prepend(...items);
    while (this.#list.childElementCount > KEPT) this.#list.lastElementChild.remove();
    items.forEach(flash);
  }
}

function commitItem({ seqNo, at, actor, lines, left }) {
  const head = h("p", { class: "commit" },
    h("span", { class: "seq" }, `#${seqNo}`),
    h("span", { class: "actor" }, actorName(actor)),
    h("time", { datetime: at }, clock(at)));
  const changes = h("ul", {}, ...lines.map((line) => h("li", {}, ...line.map(partNode))));
  if (left > 0) changes.append(h("li", { class: "quiet" }, `and ${counted(left, "more change")}`));
  return h("li", { "data-seq": seqNo }, head, changes);
}

function partNode(part) {
  return typeof part === "string" ? part : h("b", {}, part.name);
}
