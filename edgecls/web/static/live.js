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
 * Show frames, each together with what is said of it: the picture is drawn and `onShown` is called
 * in one step, so that the screen never shows one frame's picture beside another's facts. What
 * comes while a frame is being decoded is passed over but for the newest.
 * @param {HTMLCanvasElement} canvas carries the frame's number as `data-frame`, and as `data-run`
 *   the start of the program that counts so
 * @param {string} path
 * @param {function(object)} onShown what belongs to the frame that is on the canvas now
 * @returns {function(boolean)} begins anew, or ends: then the board makes no pictures, and the last
 *   one stays with what was said of it. Not to be ended because the connection is lost: what has
 *   come by then is still shown.
 */
export function frames(canvas, path, onShown = () => {}) {
  let reading = new AbortController();
  let newest = null;
  let isDrawing = false;

  async function read(signal) {
    let delay = FIRST_RETRY_MS;
    while (!signal.aborted) {
      try {
        const reply = await fetch(path, { signal });
        if (!reply.ok) throw new Error(`error ${reply.status}`);
        await readParts(reply.body.getReader(), (facts, jpeg) => {
          delay = FIRST_RETRY_MS;
          newest = { facts, jpeg };
          draw();
        });
      } catch {
        // A board that is away, or does not want us any more, is the event stream's to tell.
      }
      await new Promise((done) => setTimeout(done, delay));
      delay = Math.min(2 * delay, LAST_RETRY_MS);
    }
  }

  async function draw() {
    if (isDrawing) return;
    isDrawing = true;
    try {
      while (newest) {
        const { facts, jpeg } = newest;
        newest = null;
        const bitmap = await createImageBitmap(new Blob([jpeg], { type: "image/jpeg" })).catch(() => null);
        put(facts, bitmap);
        bitmap?.close();
      }
    } finally {
      isDrawing = false;
    }
  }

  function put(facts, bitmap) {
    // A picture that this browser cannot show leaves nothing, not even a number to point at.
    canvas.width = bitmap?.width ?? canvas.width;
    canvas.height = bitmap?.height ?? canvas.height;
    if (bitmap) canvas.getContext("2d").drawImage(bitmap, 0, 0);
    canvas.hidden = false;
    canvas.dataset.run = facts.run;
    if (bitmap) canvas.dataset.frame = facts.frame;
    else delete canvas.dataset.frame;
    onShown(facts);
  }

  return (isShown) => {
    reading.abort();
    reading = new AbortController();
    if (isShown) read(reading.signal);
  };
}

/** Read parts as `edgecls.web.frames.PageFeed` writes them, until the connection ends. */
async function readParts(reader, onPart) {
  let rest = new Uint8Array(0);
  while (true) {
    const { done, value } = await reader.read();
    if (done) return;
    const more = new Uint8Array(rest.length + value.length);
    more.set(rest);
    more.set(value, rest.length);
    rest = more;
    while (rest.length >= 8) {
      const lengths = new DataView(rest.buffer, rest.byteOffset);
      const [begin, end] = [8 + lengths.getUint32(0), 8 + lengths.getUint32(0) + lengths.getUint32(4)];
      if (rest.length < end) break;
      if (end > 8) onPart(JSON.parse(new TextDecoder().decode(rest.subarray(8, begin))), rest.slice(begin, end));
      rest = rest.subarray(end);
    }
  }
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
  const reply = await reach(path, settings);
  return reply.json().catch(() => ({}));
}

/**
 * Let the browser save a file of the board, under the name that the board gives it.
 * @throws {Error} see `ask`
 */
export async function save(path) {
  const reply = await reach(path);
  const name = /filename="([^"]+)"/.exec(reply.headers.get("Content-Disposition"))?.[1] ?? "";
  const address = URL.createObjectURL(await reply.blob());
  Object.assign(document.createElement("a"), { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

async function reach(path, settings) {
  let reply;
  try {
    reply = await fetch(path, settings);
  } catch {
    throw new Error("the board does not answer");
  }
  if (reply.ok) return reply;
  const value = await reply.json().catch(() => ({}));
  throw new Error([value.error ?? `error ${reply.status}`, value.hint].filter(Boolean).join("; "));
}
