import { find, flash, h, KeyedList, oncePerFrame, setText } from "./dom.js";
import { actorName, ago, counted, number, ROLES } from "./format.js";

const PAGE = 24;

/**
 * A card for each network: how its roles are mixed and when a directory last spoke. Choosing one
 * calls `onChoose` with its id.
 */
export class NetworksView {
  #cards = new KeyedList(find("#network-cards"), {
    keyOf: (network) => network.network_id,
    create: (network) => this.#create(network.network_id),
    update: (item, network) => this.#update(item, network),
  });
  #more = find("#networks-more");
  #empty = find("#networks-empty");
  #parts = new WeakMap();
  #onChoose;
  #state = null;
  #chosen = null;
  #shown = PAGE;
  #visible = [];
  #listChanged = false;
  #changed = new Set();
  #draw = oncePerFrame(() => this.#render());

  constructor(onChoose) {
    this.#onChoose = onChoose;
    this.#more.addEventListener("click", () => {
      this.#shown += PAGE;
      this.#listChanged = true;
      this.#draw();
    });
  }

  /** Shows another state. */
  reset(state) {
    this.#state = state;
    this.#listChanged = true;
    this.#changed.clear();
    this.#draw();
  }

  note(commit) {
    commit.entries.forEach(({ type, network_id: id, data }, index) => {
      if (type === "network.delete" || (type === "network.put" && !commit.before[index])) this.#listChanged = true;
      this.#changed.add(id ?? data.network_id);
    });
    this.#draw();
  }

  choose(id) {
    const before = this.#chosen;
    this.#chosen = id;
    for (const key of [before, id]) {
      const item = this.#cards.get(key);
      if (item) this.#parts.get(item).card.setAttribute("aria-pressed", key === id);
    }
  }

  /** Brings the ages up to date. */
  tick() {
    for (const { network_id: id } of this.#visible) this.#age(this.#cards.get(id), id);
  }

  #render() {
    if (this.#listChanged) {
      this.#visible = this.#firstNetworks();
      this.#cards.render(this.#visible);
    }
    for (const id of this.#changed) {
      const network = this.#state.networks.get(id);
      const item = network && this.#cards.refresh(network);
      if (item) flash(this.#parts.get(item).card);
    }
    const total = this.#state.networks.size;
    this.#more.hidden = total <= this.#shown;
    setText(this.#more, `Show more (${number(total - this.#shown)} left)`);
    this.#empty.hidden = total > 0;
    this.#listChanged = false;
    this.#changed.clear();
  }

  #firstNetworks() {
    return [...this.#state.networks.values()]
      .sort((a, b) => a.network_id - b.network_id)
      .slice(0, this.#shown);
  }

  #create(id) {
    const parts = {
      name: h("span", { class: "name" }),
      tag: h("span", { class: "tag" }, "enterprise"),
      roles: ROLES.map((role) => h("span", { class: `share ${role}` })),
      mix: h("span", { class: "mix" }),
      waiting: h("span"),
      sync: h("span"),
    };
    parts.card = h("button", { type: "button", class: "card panel", "data-testid": `network-card-${id}`, "aria-pressed": id === this.#chosen },
      h("span", { class: "title" }, parts.name, h("span", { class: "id" }, `#${id}`), parts.tag),
      h("span", { class: "shares", "aria-hidden": "true" }, ...parts.roles),
      parts.mix,
      h("span", { class: "foot quiet" }, parts.sync, parts.waiting));
    parts.card.addEventListener("click", () => this.#onChoose(id));
    const item = h("li", {}, parts.card);
    this.#parts.set(item, parts);
    return item;
  }

  #update(item, network) {
    const parts = this.#parts.get(item);
    const mix = roleMix(this.#state.members.get(network.network_id));
    const waiting = this.#state.assignments.get(network.network_id)?.size ?? 0;
    setText(parts.name, network.name || `Network ${network.network_id}`);
    parts.tag.hidden = !network.enterprise;
    ROLES.forEach((role, index) => (parts.roles[index].style.flexGrow = mix[role]));
    const roles = ROLES.filter((role) => mix[role] > 0).map((role) => counted(mix[role], role));
    setText(parts.mix, roles.join(" · ") || "no members");
    setText(parts.waiting, waiting ? `${number(waiting)} pre-assigned` : "");
    this.#age(item, network.network_id);
  }

  #age(item, id) {
    const sync = this.#state.syncs.get(id);
    const text = sync ? `synced ${ago(Date.now() - Date.parse(sync.at))} by ${actorName(sync.actor)}` : "never synced";
    setText(this.#parts.get(item).sync, text);
  }
}

function roleMix(members = new Map()) {
  const mix = { owner: 0, admin: 0, member: 0 };
  for (const { role } of members.values()) mix[role]++;
  return mix;
}
