/** Numbers, times and names as people read them. */

const numbers = new Intl.NumberFormat("en");
const clockTime = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });

export const ROLES = ["owner", "admin", "member"];

export function number(n) {
  return numbers.format(n);
}

/** `1 member`, `2 members`. */
export function counted(n, noun) {
  return `${number(n)} ${noun}${n === 1 ? "" : "s"}`;
}

export function clock(at) {
  return clockTime.format(new Date(at));
}

export function date(at) {
  return day.format(new Date(at));
}

/** How long ago something was, in its largest unit. A clock that runs ahead reads as now. */
export function ago(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return seconds < 1 ? "now" : `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86_400)} d ago`;
}

export function shortEpoch(epoch) {
  return epoch.length > 10 ? `${epoch.slice(0, 8)}…` : epoch;
}

/** The `actor` of an entry in words. */
export function actorName(actor) {
  const [kind, id] = actor.split(":");
  if (kind === "token") return id === "admin" ? "admin token" : `token ${id}`;
  if (kind === "source") return `webhook ${id}`;
  return actor;
}
