// Elements made of text, never of markup: a label or a file name can be anything.

// Control characters, reversals, invisible ones and halves of characters; joiners, which some
// scripts need, are none.
const HIDDEN = /[\p{Cc}\p{Cs}\p{Co}\p{Cn}\u2028\u2029]|(?![\u200c\u200d])\p{Cf}/gu;

/** A text of a stranger with what nobody would see of it, such as a change of direction, written out. */
export const shown = (text) =>
  String(text).replace(HIDDEN, (found) => `\\u${found.codePointAt(0).toString(16).padStart(4, "0")}`);

/** The element with an id. */
export const byId = (id) => document.getElementById(id);

/**
 * An element.
 * @param {string} tag such as "li"
 * @param {object} traits attributes; `class`, `text`, and listeners such as `onclick`
 * @param {...(Node|string)} children text stays text
 */
export function el(tag, traits = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(traits)) {
    if (name === "text") made.textContent = shown(value ?? "");
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.map((child) => (typeof child === "string" ? shown(child) : child)));
  return made;
}

/** Set a text, if it is another one: what did not change is not read aloud again. */
export function say(node, text) {
  const seen = shown(text ?? "");
  if (node.textContent !== seen) node.textContent = seen;
}

/** "87%" of 0.87. */
export const percent = (share) => `${Math.round(share * 100)}%`;

/** "3 s", "2 min", "1 h 5 min" of seconds. */
export function span(seconds) {
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

/** "12:30:05" of seconds since 1970; of a recording, which begins at 0, "00:00:05". */
export function clock(seconds) {
  const moment = new Date(seconds * 1000);
  const isOfTheDay = seconds > 1e9;
  return moment.toLocaleTimeString("en-GB", isOfTheDay ? {} : { timeZone: "UTC" });
}

/**
 * Do things at single keys, which are not meant for a field and have no Ctrl, Alt or Meta.
 * @param {Object<string, function(KeyboardEvent)>} actions by `event.key`, letters in lower case
 */
export function onKeys(actions) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
    if (event.target.closest("input, select, textarea, [contenteditable]")) return;
    const action = actions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!action) return;
    event.preventDefault();
    action(event);
  });
}

let toasting = 0;

/**
 * Say something for a few seconds; a screen reader says it, too.
 * @param {string} text
 * @param {{label: string, act: function()}} [button] such as "Undo"
 */
export function toast(text, button) {
  const place = byId("toast") ?? document.body.appendChild(el("div", { id: "toast", role: "status" }));
  const shown = el("div", { class: "toast" }, el("span", { text }));
  const hide = () => place.replaceChildren();
  if (button) {
    shown.append(el("button", { type: "button", text: button.label, onclick: () => { hide(); button.act(); } }));
  }
  place.replaceChildren(shown);
  clearTimeout(toasting);
  toasting = setTimeout(hide, button ? 10_000 : 4_000);
}
