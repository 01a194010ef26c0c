/**
 * The access token of this tab. It arrives in the fragment of the address, which browsers send to
 * nobody, leaves the address bar and the history at once, and lives in sessionStorage.
 */

const KEY = "gateway-token";
const FRAGMENT = "#token=";

/** The token from the address if there is one, else the one kept before, else null. */
export function currentToken() {
  const given = takeFromAddress();
  if (given) keepToken(given);
  return given ?? sessionStorage.getItem(KEY);
}

export function keepToken(token) {
  sessionStorage.setItem(KEY, token);
}

export function forgetToken() {
  sessionStorage.removeItem(KEY);
}

/** Calls `use` when a link with another token is opened in this tab. */
export function onTokenInAddress(use) {
  addEventListener("hashchange", () => {
    const token = takeFromAddress();
    if (!token) return;
    keepToken(token);
    use(token);
  });
}

function takeFromAddress() {
  if (!location.hash.startsWith(FRAGMENT)) return null;
  const raw = location.hash.slice(FRAGMENT.length);
  history.replaceState(null, "", location.pathname + location.search);
  return decoded(raw).trim() || null;
}

/** A token that holds a stray percent sign was not encoded. */
function decoded(raw) {
  try {
    return decodeURIComponent(raw);
  } catch {
    return raw;
  }
}
