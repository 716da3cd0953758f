// What comes from the board as it happens, and what is asked of it.

const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 10_000;

/**
 * Listen to server-sent events, for as long as somebody sees the page: a hidden one costs the
 * board nothing. A connection that broke comes back by itself.
 * @param {string} path
 * @param {Object<string, function(any)>} handlers by the event's name
 * @param {function("connecting"|"open"|"lost"|"hidden")} onState
 * @returns {function()} ends it
 */
export function listen(path, handlers, onState = () => {}) {
  let source = null;
  let timer = 0;
  let delay = FIRST_RETRY_MS;

  function open() {
    onState("connecting");
    source = new EventSource(path);
    source.onopen = () => { delay = FIRST_RETRY_MS; onState("open"); };
    source.onerror = () => { close(); onState("lost"); retry(); };
    for (const [name, handle] of Object.entries(handlers)) {
      source.addEventListener(name, (event) => handle(JSON.parse(event.data)));
    }
  }
  function close() {
    clearTimeout(timer);
    source?.close();
    source = null;
  }
  function retry() {
    timer = setTimeout(async () => {
      if (await needsToken()) location.reload();
      else open();
    }, delay);
    delay = Math.min(2 * delay, LAST_RETRY_MS);
  }
  function look() {
    close();
    if (document.hidden) onState("hidden");
    else open();
  }
  document.addEventListener("visibilitychange", look);
  look();
  return () => { document.removeEventListener("visibilitychange", look); close(); };
}

/** Whether the server answers, but wants the token again. */
async function needsToken() {
  try {
    return (await fetch("/dom.js", { method: "HEAD" })).status === 401;
  } catch {
    return false;
  }
}

/**
 * Show a stream of pictures in an `img`. Call with false when nobody should see it: then the
 * board makes none.
 * @param {HTMLImageElement} image
 * @param {string} path
 * @returns {function(boolean)} shows it anew, or not
 */
export function pictures(image, path) {
  let number = 0;
  return (isShown) => {
    image.hidden = !isShown;
    if (isShown) image.src = `${path}?${(number += 1)}`;
    else image.removeAttribute("src");
  };
}

/**
 * Ask for something.
 * @param {string} path
 * @param {object} [body] makes it a POST
 * @returns {Promise<any>} the answer's JSON
 * @throws {Error} what the board said, with its hint
 */
export async function ask(path, body) {
  const settings = body === undefined ? {} : {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  };
  let reply;
  try {
    reply = await fetch(path, settings);
  } catch {
    throw new Error("the board does not answer");
  }
  const value = await reply.json().catch(() => ({}));
  if (!reply.ok) throw new Error([value.error ?? `error ${reply.status}`, value.hint].filter(Boolean).join("; "));
  return value;
}
