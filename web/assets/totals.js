import { find, setText } from "./dom.js";
import { number, shortEpoch } from "./format.js";

/** The row of figures on top, and the position that they belong to. */
export class TotalsView {
  #position = find("#position");
  #seq = find("[data-part=seq]", this.#position);
  #epoch = find("[data-part=epoch]", this.#position);
  #cells = [...document.querySelectorAll("[data-count]")];

  render(state, position) {
    for (const cell of this.#cells) setText(cell, number(size(state[cell.dataset.count])));
    if (!position) return;
    setText(this.#seq, String(position.seq_no));
    setText(this.#epoch, shortEpoch(position.epoch));
    this.#position.dataset.seqNo = position.seq_no;
    this.#position.dataset.epoch = position.epoch;
    this.#position.title = `${position.epoch}:${position.seq_no}`;
  }
}

/** Records in a collection, whether by key or by network and key. */
function size(collection) {
  let total = 0;
  for (const value of collection.values()) total += value instanceof Map ? value.size : 1;
  return total;
}
