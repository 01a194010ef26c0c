import { find, setText, svg } from "./dom.js";
import { number } from "./format.js";

const SLOT_MS = 5_000;
const SLOTS = 60;
const SLOTS_PER_MINUTE = 60_000 / SLOT_MS;
const WIDTH = 120;
const HEIGHT = 26;

/** Commits received in the last minute, and a small curve of the last five. */
export class RateView {
  #value = find("#rate [data-part=value]");
  #line = svg("polyline", { class: "line" });
  #area = svg("polygon", { class: "area" });
  #counts = new Array(SLOTS).fill(0);
  #slot = slotNow();

  constructor() {
    find("#rate").append(
      svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "spark", "aria-hidden": "true", preserveAspectRatio: "none" }, this.#area, this.#line));
    this.tick();
  }

  note() {
    this.#advance();
    this.#counts[SLOTS - 1]++;
  }

  /** Moves the curve on and draws it. */
  tick() {
    this.#advance();
    const lastMinute = this.#counts.slice(-SLOTS_PER_MINUTE).reduce((sum, n) => sum + n, 0);
    setText(this.#value, number(lastMinute));
    const peak = Math.max(4, ...this.#counts);
    const points = this.#counts.map((n, i) => `${round((i * WIDTH) / (SLOTS - 1))},${round(HEIGHT - 1 - (n / peak) * (HEIGHT - 2))}`);
    this.#line.setAttribute("points", points.join(" "));
    this.#area.setAttribute("points", `0,${HEIGHT} ${points.join(" ")} ${WIDTH},${HEIGHT}`);
  }

  #advance() {
    const slot = slotNow();
    for (let passed = Math.min(slot - this.#slot, SLOTS); passed > 0; passed--) {
      this.#counts.shift();
      this.#counts.push(0);
    }
    this.#slot = slot;
  }
}

function slotNow() {
  return Math.floor(performance.now() / SLOT_MS);
}

function round(n) {
  return Math.round(n * 10) / 10;
}
