// The page of `edgecls collect`: what the camera sees, labels to press, and what was kept.

import { byId, el, say, toast } from "/dom.js";
import { ask, frames, listen } from "/live.js";
import { makeGrid } from "/grid.js";
import { makeHands, makeHoldable } from "/hands.js";

const HINTS = 5;
const DONE = { keep: "kept", relabel: "moved", discard: "deleted" };

let state = { labels: [], hints: [], source: {}, undo: null, number: -1 };
const many = (count) => (count === 1 ? "1 picture" : `${count} pictures`);
const keyed = new Map(); // code of a key that is down -> its label

const hands = makeHands(seen, replied, complain, markHeld);
const grid = makeGrid(showTools, open);
const showLive = frames(byId("live"), "/frames");

/** The frame that is on the screen; null before the first. */
function seen() {
  const { run, frame } = byId("live").dataset;
  return frame === undefined ? null : { run, frame: Number(frame) };
}

// What was done

function replied(label, reply) {
  if (!reply.kept) return;
  const frame = byId("frame");
  frame.classList.add("flash");
  setTimeout(() => frame.classList.remove("flash"), 120);
  if (!grid.selected.length) byId("shown").value = label;
}

function complain(fault) {
  toast(fault.message);
}

async function change(path, body, describe) {
  try {
    const done = await ask(path, body);
    const missing = done.missing ? `; ${done.missing} were not there any more` : "";
    toast(describe(done) + missing, path === "/undo" ? undefined : { label: "Undo", act: undo });
  } catch (fault) {
    complain(fault);
  }
}

function undo() {
  if (!state.undo) return;
  change("/undo", {}, (done) => `Undone: ${many(done.count)} ${DONE[done.kind] ?? ""}`);
}

function move(label) {
  const ids = grid.selected.slice(0, state.most);
  if (ids.length) change("/relabel", { ids, label }, (done) => `${many(done.count)} moved to ${label}`);
}

function discard() {
  const ids = grid.selected.slice(0, state.most);
  if (ids.length) change("/discard", { ids }, (done) => `${many(done.count)} deleted`);
}

async function addLabel(event) {
  event.preventDefault();
  const field = byId("new-name");
  try {
    await ask("/add-label", { label: field.value });
    field.value = "";
    field.blur();
  } catch (fault) {
    complain(fault);
  }
}

function open(id, name) {
  // An element of its own: with another `src` it would show the picture before until this one came.
  byId("large-picture").replaceWith(el("img", { id: "large-picture", src: `/picture?id=${id}`, alt: name }));
  byId("large").showModal();
}

// What is shown

/** Only what has changed since another state: where we have missed some of it, ask for all. */
function apply(change) {
  if (change.number <= state.number) return;
  if (change.from !== state.number) { resync(); return; }
  const entries = new Map(state.labels.map((entry) => [entry.label, entry]));
  for (const entry of change.labels ?? []) entries.set(entry.label, entry);
  const order = change.order ?? [...entries.keys()];
  show({ ...state, ...change.set, labels: order.map((label) => entries.get(label)), number: change.number });
}

let isAsking = false;
let isStale = false;

/** Ask how things stand, once at a time; whatever comes meanwhile is asked for when that is there. */
async function resync() {
  isStale = true;
  if (isAsking) return;
  isAsking = true;
  try {
    while (isStale) {
      isStale = false;
      show(await ask("/state"));
    }
  } catch {
    state.number = -1; // the next event asks again
  } finally {
    isAsking = false;
  }
}

function show(news) {
  const before = new Map(state.labels.map((entry) => [entry.label, entry.count]));
  state = news;
  showSource();
  showReading();
  showLabels();
  showHints();
  showChoices();
  showPictures();
  showRest();
  const grown = state.labels.find(({ label, count }) => before.has(label) && count > before.get(label));
  if (grown) say(byId("said"), `${grown.label}: ${many(grown.count)}`);
}

function showSource() {
  const { state: is, fps, problem, name, troubles } = state.source;
  const pill = byId("source");
  pill.className = `pill ${{ live: "good", lost: "bad", ended: "warn" }[is]}`;
  say(pill, { live: "camera is live", lost: "camera is lost", ended: "recording has ended" }[is]);
  pill.title = is === "live" ? `${name}, ${fps} frames a second` : name;
  const veil = byId("veil");
  veil.hidden = is !== "lost";
  veil.parentElement.classList.toggle("noted", is === "lost" && seen() !== null);
  say(veil, is === "lost" ? `The camera is lost: ${problem}. It is tried again and again.` : "");
  say(byId("trouble"), troubles.join(" "));
  byId("trouble").hidden = !troubles.length;
  say(byId("disk"), state.disk ? `Pictures cannot be kept now: ${state.disk}.` : "");
  byId("disk").hidden = !state.disk;
}

function showReading() {
  const { reading } = state;
  byId("reading").hidden = !reading;
  if (!reading) return;
  const of = reading.expected === null ? "" : ` of ${reading.expected.toLocaleString("en")}`;
  say(byId("reading"), `Reading the folder: ${reading.read.toLocaleString("en")}${of} pictures. `
    + "Until that is done the counts are too low, and pictures are not kept yet.");
}

function showLabels() {
  const list = byId("labels");
  const known = new Map([...list.children].map((tile) => [tile.dataset.label, tile]));
  const most = Math.max(1, ...state.labels.map((entry) => entry.count));
  const tiles = state.labels.map((entry) => {
    const tile = known.get(entry.label) ?? makeTile(entry.label);
    fillTile(tile, entry, most);
    return tile;
  });
  // An element that is taken out and put back would lose the hand that holds it.
  if (tiles.length !== list.children.length || tiles.some((tile, i) => list.children[i] !== tile)) {
    list.replaceChildren(...tiles);
  }
}

function makeTile(label) {
  const button = el("button", { type: "button", class: "take" },
    el("span", { class: "blank" }), el("span", { class: "name", text: label }),
    el("kbd", { "aria-hidden": "true" }), el("span", { class: "count number" }),
    el("span", { class: "track", "aria-hidden": "true" }, el("span", { class: "fill" })));
  makeHoldable(button, label, hands);
  const remove = el("button", {
    type: "button", class: "remove", text: "×", title: "Remove", "aria-label": `Remove the label ${label}`,
    onclick: () => ask("/remove-label", { label }).catch(complain),
  });
  const tile = el("li", {}, button, remove);
  tile.dataset.label = label;
  return tile;
}

function fillTile(tile, { label, count, key, newest }, most) {
  const button = tile.querySelector(".take");
  say(button.querySelector("kbd"), key);
  button.querySelector("kbd").hidden = !key;
  if (key) button.setAttribute("aria-keyshortcuts", key);
  say(button.querySelector(".count"), many(count));
  button.querySelector(".fill").style.width = `${(100 * count) / most}%`;
  const shown = button.firstElementChild;
  if (shown.dataset.id !== newest) {
    const image = newest
      ? el("img", { src: `/thumbnail?id=${newest}`, alt: "" }) : el("span", { class: "blank" });
    image.dataset.id = newest;
    shown.replaceWith(image);
  }
  tile.querySelector(".remove").hidden = count > 0;
  button.classList.toggle("held", hands.isHeld(label));
}

function markHeld() {
  for (const tile of byId("labels").children) {
    tile.firstElementChild.classList.toggle("held", hands.isHeld(tile.dataset.label));
  }
}

function showHints() {
  const texts = state.hints.slice(0, HINTS).map((hint) => hint.text);
  const rest = state.hints.length + state.more_hints - texts.length;
  if (rest > 0) texts.push(`and ${rest} more`);
  const list = byId("hints");
  if (JSON.stringify(texts) === list.dataset.shown) return;
  list.dataset.shown = JSON.stringify(texts);
  list.replaceChildren(...texts.map((text) => el("li", { class: "notice warn", text })));
}

function fillSelect(select, labels, describe) {
  const value = select.value;
  const wanted = JSON.stringify(labels.map(describe));
  if (select.dataset.shown === wanted) return;
  select.dataset.shown = wanted;
  select.replaceChildren(...labels.map((entry) =>
    el("option", { value: entry.label, text: describe(entry) })));
  if (labels.some((entry) => entry.label === value)) select.value = value;
}

function showChoices() {
  fillSelect(byId("shown"), state.labels, ({ label, count }) => `${label} (${count})`);
  const others = state.labels.filter(({ label }) => label !== byId("shown").value);
  fillSelect(byId("target"), others, ({ label }) => label);
}

function showPictures() {
  const entry = state.labels.find(({ label }) => label === byId("shown").value);
  if (entry) grid.show(entry.label, entry.stamp);
}

function showTools() {
  const count = grid.selected.length;
  say(byId("selected"), count ? `${many(count)} selected` : "None selected");
  byId("all").disabled = grid.size === 0;
  const hadFocus = byId("tools").contains(document.activeElement);
  for (const id of ["delete", "none"]) byId(id).disabled = count === 0;
  byId("move").disabled = count === 0 || !byId("target").value;
  if (hadFocus && count === 0) grid.focus();
}

function showRest() {
  const { undo: last, trash, alike, folder } = state;
  byId("undo").disabled = !last;
  const to = last?.kind === "relabel" ? "to" : "of";
  say(byId("undo"), last
    ? `Undo: ${many(last.count)} ${DONE[last.kind]}${last.label ? ` ${to} ${last.label}` : ""}` : "Undo");
  say(byId("alike"), alike ? `${many(alike)} left out: too alike.` : "");
  say(byId("folder"), folder);
  byId("trash").hidden = byId("empty-trash").hidden = !trash;
  say(byId("trash"), `Trash: ${(trash / 1e6).toFixed(1)} MB`);
}

// Keys

function labelOf(event) {
  const digit = /^(?:Digit|Numpad)([1-9])$/.exec(event.code);
  const key = event.key.toLowerCase();
  return state.labels.find((entry) => entry.key && entry.key === key)?.label
    ?? (digit && state.labels.find((entry) => entry.key === digit[1])?.label);
}

function isTyping(event) {
  return byId("large").open || event.isComposing
    || event.target.closest?.("input, select, textarea");
}

document.addEventListener("keydown", (event) => {
  if (isTyping(event)) return;
  const isCommand = event.ctrlKey || event.metaKey;
  if (isCommand && event.key.toLowerCase() === "z") { event.preventDefault(); undo(); return; }
  if (isCommand || event.altKey) return;
  const label = labelOf(event);
  const chosen = grid.hasFocus() && grid.selected.length;
  if (label !== undefined && label !== null) {
    event.preventDefault();
    if (event.repeat) return;
    if (chosen) move(label);
    else { keyed.set(event.code, label); hands.press(label); }
  } else if (event.key === "u" && !event.repeat) {
    undo();
  } else if (event.key === "n") {
    event.preventDefault();
    byId("new-name").focus();
  } else if (event.key === "Delete" || event.key === "Backspace") {
    if (grid.selected.length) { event.preventDefault(); discard(); }
  }
});

document.addEventListener("keyup", (event) => {
  if (keyed.has(event.code)) hands.release(keyed.get(event.code));
  keyed.delete(event.code);
});

// Buttons

byId("undo").addEventListener("click", undo);
byId("new-label").addEventListener("submit", addLabel);
byId("new-name").addEventListener("keydown", (event) => {
  if (event.key === "Escape") event.target.blur();
});
byId("shown").addEventListener("change", () => { showChoices(); showPictures(); });
byId("all").addEventListener("click", grid.everything);
byId("none").addEventListener("click", grid.none);
byId("move").addEventListener("click", () => move(byId("target").value));
byId("delete").addEventListener("click", discard);
byId("empty-trash").addEventListener("click", () => {
  if (confirm("Delete for good what is in the trash? This cannot be undone.")) {
    ask("/empty-trash", {}).then(({ deleted }) => toast(`${many(deleted)} deleted for good`), complain);
  }
});

listen("/events", { state: show, change: apply, stale: resync }, (connection) => {
  if (connection === "open" || connection === "hidden") showLive(connection === "open");
  if (connection !== "lost") return;
  byId("source").className = "pill bad";
  say(byId("source"), "the board does not answer");
});
