import { normalizeExternalID } from "../client.js";
import { find, flash, h, KeyedList, oncePerFrame, setText } from "./dom.js";
import { counted, date, number, ROLES } from "./format.js";
import { syncResult } from "./words.js";

const PAGE = 100;
const natural = new Intl.Collator("en", { numeric: true });

/**
 * The members of the chosen network, by host name, and who is pre-assigned there. The order is
 * found again only when members come, go or change their names; a new role touches its row alone.
 */
export class MembersView {
  #root = find("#members");
  #title = find("#members-title");
  #facts = find("#members-facts");
  #search = find("#members-search");
  #count = find("#members-count");
  #empty = find("#members-empty");
  #more = find("#members-more");
  #waiting = find("#waiting");
  #waitingTitle = find("#waiting-title");
  #waitingRows = find("#waiting-rows");
  #rows = new KeyedList(find("#member-rows"), {
    keyOf: ({ member }) => `${member.network_id}-${member.node_id}`,
    create: (row) => createRow(row.member),
    update: updateRow,
  });

  #state = null;
  #network = null;
  #order = [];
  #shown = PAGE;
  #orderChanged = false;
  #changed = new Set();
  #draw = oncePerFrame(() => this.#render());

  constructor() {
    this.#search.addEventListener("input", () => this.#reorder(PAGE));
    this.#more.addEventListener("click", () => this.#reorder(this.#shown + PAGE));
  }

  /** Shows another state. */
  reset(state) {
    this.#state = state;
    this.#reorder(this.#shown);
  }

  /** Shows another network, null for none. */
  choose(network) {
    if (network !== this.#network) this.#search.value = "";
    this.#network = network;
    this.#reorder(PAGE);
  }

  /** Brings the panel into view where the cards left no room for it, as on a phone. */
  reveal() {
    const { top } = this.#root.getBoundingClientRect();
    if (top > innerHeight - 160 || top < 0) this.#root.scrollIntoView({ block: "start" });
  }

  note(commit) {
    commit.entries.forEach((entry, index) => this.#noteEntry(entry, commit.before[index]));
    this.#draw();
  }

  #noteEntry({ type, data }, before) {
    if (type === "node.put" || type === "node.delete") {
      if (!this.#members().has(data.node_id)) return;
    } else if (data.network_id !== this.#network) {
      return;
    }
    if (data.node_id) this.#changed.add(data.node_id);
    if (type !== "member.put" || !before || this.#search.value) this.#orderChanged = true;
  }

  #reorder(shown) {
    this.#shown = shown;
    this.#orderChanged = true;
    this.#changed.clear();
    this.#draw();
  }

  #render() {
    const network = this.#state?.networks.get(this.#network);
    this.#root.hidden = !network;
    if (!network) return;
    if (this.#orderChanged) {
      this.#order = this.#matching();
      this.#rows.render(this.#order.slice(0, this.#shown).map((nodeID) => this.#row(nodeID)));
      this.#renderFrame(network);
    }
    for (const nodeID of this.#changed) {
      const row = this.#members().has(nodeID) && this.#rows.refresh(this.#row(nodeID));
      if (row) flash(row);
    }
    this.#orderChanged = false;
    this.#changed.clear();
  }

  #renderFrame(network) {
    const total = this.#members().size;
    const found = this.#order.length;
    setText(this.#title, network.name || `Network ${network.network_id}`);
    this.#facts.replaceChildren(...facts(network, this.#state.syncs.get(this.#network)).map((fact) => h("li", {}, fact)));
    setText(this.#count, found === total ? counted(total, "member") : `${number(found)} of ${counted(total, "member")}`);
    setText(this.#empty, total ? "No member matches." : "No members yet.");
    this.#empty.hidden = found > 0;
    this.#more.hidden = found <= this.#shown;
    setText(this.#more, `Show more (${number(found - this.#shown)} left)`);
    this.#renderWaiting();
  }

  #renderWaiting() {
    const waiting = [...(this.#state.assignments.get(this.#network)?.values() ?? [])];
    this.#waiting.hidden = waiting.length === 0;
    setText(this.#waitingTitle, `${number(waiting.length)} pre-assigned, not joined yet`);
    this.#waitingRows.replaceChildren(...waiting.slice(0, PAGE).map(({ external_id: id, role }) =>
      h("li", {}, h("span", {}, id), h("span", { class: `role ${role}` }, role))));
    if (waiting.length > PAGE) this.#waitingRows.append(h("li", { class: "quiet" }, `and ${number(waiting.length - PAGE)} more`));
  }

  #members() {
    return this.#state?.members.get(this.#network) ?? new Map();
  }

  #row(nodeID) {
    const member = this.#members().get(nodeID);
    const node = this.#state.nodes.get(nodeID);
    const user = node?.external_id && this.#state.users.get(this.#network)?.get(normalizeExternalID(node.external_id));
    return { member, node, user };
  }

  /** Ids of the nodes that the search finds, in order. */
  #matching() {
    const words = this.#search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const ids = [...this.#members().keys()];
    const found = words.length ? ids.filter((id) => matches(this.#row(id), words)) : ids;
    return found
      .map((id) => ({ id, host: this.#state.nodes.get(id)?.hostname ?? "" }))
      .sort((a, b) => natural.compare(a.host, b.host) || a.id - b.id)
      .map(({ id }) => id);
  }
}

function matches({ member, node, user }, words) {
  const text = [member.node_id, member.role, node?.hostname, node?.external_id, user?.display_name, user?.disabled && "disabled"]
    .join(" ").toLowerCase();
  return words.every((word) => text.includes(word));
}

function facts(network, sync) {
  const list = [`id ${network.network_id}`, network.enterprise ? "enterprise" : "not enterprise"];
  if (network.enterprise) list.push(`people identified by ${network.identify_by || "id"}`);
  for (const { group, role } of network.role_mappings ?? []) list.push(`group ${group} → ${role}`);
  if (sync) list.push(`last sync: ${syncResult(sync)}`);
  return list;
}

function createRow({ network_id: networkID, node_id: nodeID }) {
  return h("tr", { "data-testid": `member-${networkID}-${nodeID}` },
    h("th", { scope: "row" }, h("span"), h("small", { class: "id" }, `#${nodeID}`)),
    h("td", { class: "external" }),
    h("td", { class: "person" }, h("span"), h("span", { class: "tag warn" }, "disabled")),
    h("td", {}, h("span", { class: "role" })),
    h("td", { class: "joined quiet" }));
}

function updateRow(element, { member, node, user }) {
  const [host, external, person, role, joined] = element.children;
  element.dataset.role = member.role;
  setText(host.firstChild, node?.hostname || "–");
  setText(external, node?.external_id || "–");
  setText(person.firstChild, user?.display_name || "–");
  person.lastChild.hidden = !user?.disabled;
  role.firstChild.className = `role ${ROLES.includes(member.role) ? member.role : ""}`;
  setText(role.firstChild, member.role);
  setText(joined, member.joined_at ? date(member.joined_at) : "–");
}
