/**
 * Tells commits in words. A sentence is a list of parts, plain strings and `{name}` for what is to
 * stand out, so that the page decides how it looks and no data is ever taken for markup.
 */

import { counted } from "./format.js";

/** What a reader wants to know first: what holds the rest, the summary, then the single changes. */
const ORDER = ["network", "sync", "member", "assignment", "node", "user", "group"];

/**
 * The sentences for the most telling entries of a commit, at most `limit`, and how many are left.
 * `state` is the one right after the commit; what the commit removed is named as it was before.
 */
export function tell(commit, state, limit) {
  const order = commit.entries
    .map((entry, index) => ({ entry, before: commit.before[index], rank: rank(entry.type) }))
    .sort((a, b) => a.rank - b.rank);
  const names = new Names(commit, state);
  const lines = [];
  for (const { entry, before } of order.slice(0, limit)) {
    const sentence = SENTENCES[entry.type];
    lines.push(sentence ? sentence(entry.data, before, names) : say`${entry.type}`);
  }
  return { lines, left: order.length - lines.length };
}

function rank(type) {
  const index = ORDER.indexOf(type.split(".")[0]);
  return index < 0 ? ORDER.length : index;
}

/** Names for ids, by the state and by what the commit itself removed. */
class Names {
  #state;
  #gone = new Map();

  constructor(commit, state) {
    this.#state = state;
    commit.entries.forEach(({ type, data }, index) => {
      const before = commit.before[index];
      if (!before) return;
      if (type === "network.delete") this.#gone.set(`network ${data.network_id}`, before);
      if (type === "node.delete") this.#gone.set(`node ${data.node_id}`, before);
    });
  }

  network({ network_id: id }) {
    const network = this.#state.networks.get(id) ?? this.#gone.get(`network ${id}`);
    return network?.name || `network ${id}`;
  }

  /** A node by the person who uses it, else by its host name. */
  node({ node_id: id }) {
    const node = this.#state.nodes.get(id) ?? this.#gone.get(`node ${id}`);
    return node?.external_id || node?.hostname || `node ${id}`;
  }
}

const SENTENCES = {
  "network.put": networkPut,
  "network.delete": (data, before, names) => say`network ${names.network(data)} deleted`,
  "node.put": nodePut,
  "node.delete": (data, before) => say`node ${before?.hostname || data.node_id} deleted`,
  "member.put": memberPut,
  "member.delete": (data, before, names) => say`${names.node(data)} removed from ${names.network(data)}`,
  "assignment.put": assignmentPut,
  "assignment.delete": (data, before, names) =>
    say`pre-assignment of ${before?.external_id ?? data.external_id} in ${names.network(data)} ended`,
  "user.put": userPut,
  "user.delete": (data, before, names) =>
    say`person ${before?.display_name || data.external_id} deleted from ${names.network(data)}`,
  "group.put": (data, before, names) =>
    say`group ${data.display_name || data.group_id} in ${names.network(data)}: ${plain(counted(data.members?.length ?? 0, "member"))}`,
  "group.delete": (data, before, names) =>
    say`group ${before?.display_name || data.group_id} deleted from ${names.network(data)}`,
  "sync.put": (data, before, names) => say`directory sync of ${names.network(data)}: ${plain(syncResult(data))}`,
  "sync.delete": (data, before, names) => say`sync record of ${names.network(data)} deleted`,
};

function networkPut(data, before) {
  if (!before) return say`network ${data.name} created`;
  if (before.name !== data.name) return say`network ${before.name} renamed to ${data.name}`;
  if (before.enterprise !== data.enterprise) {
    return say`network ${data.name} ${plain(data.enterprise ? "is now" : "is no longer")} enterprise`;
  }
  return say`settings of network ${data.name} changed`;
}

function nodePut(data, before) {
  const name = data.hostname || data.node_id;
  if (!before) return data.external_id ? say`node ${name} added for ${data.external_id}` : say`node ${name} added`;
  if (before.hostname !== data.hostname) return say`node ${before.hostname || data.node_id} renamed to ${name}`;
  if (before.external_id !== data.external_id) return say`node ${name} now belongs to ${data.external_id || "nobody"}`;
  return say`tags of node ${name} changed`;
}

function memberPut(data, before, names) {
  const who = names.node(data);
  const where = names.network(data);
  if (!before) return say`${who} joined ${where} as ${data.role}`;
  return say`role ${who} ${plain(before.role)} → ${data.role} in ${where}`;
}

function assignmentPut(data, before, names) {
  if (!before) return say`${data.external_id} pre-assigned ${data.role} in ${names.network(data)}`;
  return say`pre-assignment ${data.external_id} ${plain(before.role)} → ${data.role} in ${names.network(data)}`;
}

function userPut(data, before, names) {
  const who = data.display_name || data.external_id;
  const where = names.network(data);
  if (data.disabled && !before?.disabled) return say`person ${who} disabled in ${where}`;
  if (!before) return say`person ${who} known in ${where}`;
  if (before.disabled && !data.disabled) return say`person ${who} enabled in ${where}`;
  if (String(before.groups ?? []) !== String(data.groups ?? [])) {
    return say`groups of ${who} in ${where}: ${data.groups?.join(", ") || "none"}`;
  }
  return say`person ${who} updated in ${where}`;
}

/** The figures of a sync record. */
export function syncResult({ updated = 0, disabled = 0, mapped = 0, unmapped = 0 }) {
  const figures = [];
  if (updated) figures.push(`${updated} updated`);
  if (disabled) figures.push(`${disabled} removed`);
  figures.push(`${mapped} mapped`);
  if (unmapped) figures.push(`${unmapped} unmapped`);
  return figures.join(", ");
}

/** Tag for template literals: what is put in stands out, unless it is `plain`. */
function say(strings, ...values) {
  const parts = [strings[0]];
  values.forEach((value, index) => {
    parts.push(typeof value === "object" ? value.text : { name: String(value) }, strings[index + 1]);
  });
  return parts.filter((part) => part !== "");
}

function plain(text) {
  return { text };
}
