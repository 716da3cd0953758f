// Group after group: accept, relabel or reject what is chosen of it.

import { byId, el, onKeys, percent, say, toast } from "./dom.js";
import { ask } from "./live.js";

// More buttons than these nobody finds: the others are behind "Another label".
const MOST_BUTTONS = 60;
const POLL_MS = 500;
const STAGES = { reading: "Reading the folder", looking: "Looking at the pictures", grouping: "Comparing the pictures" };
const WORDS = { accept: "accepted", relabel: "relabelled", reject: "rejected" };

let state = { labels: [], total: 0, left: 0, undo: null, trash: 0, most: 2000 };
let group = null;
let groups = 0;
let skip = 0;
let chosen = new Set();
let current = 0;
let isBusy = false;

const count = (number) => (number === 1 ? "1 picture" : `${number} pictures`);

/** What the chosen pictures were guessed to be: [[label, how many], ...], the most frequent first. */
function guesses() {
  const found = new Map();
  for (const picture of group.pictures) {
    if (chosen.has(picture.id)) found.set(picture.guess, (found.get(picture.guess) ?? 0) + 1);
  }
  return [...found].sort((one, other) => other[1] - one[1]);
}

function showState() {
  const done = state.total - state.left;
  say(byId("done"), `${done} of ${state.total} decided`);
  byId("progress").max = Math.max(1, state.total);
  byId("progress").value = done;
  byId("undo").disabled = !state.undo;
  byId("undo").title = state.undo ? `take back: ${count(state.undo.count)} ${WORDS[state.undo.kind]}` : "";
  say(byId("folder"), state.folder);
  say(byId("into"), state.into);
  say(byId("over-folder"), state.folder);
  say(byId("over-into"), state.into);
  say(byId("next"), `edgecls train ${state.into}`);
  say(byId("trash-text"), state.trash ? `${count(state.trash)} in the trash` : "");
  byId("empty").hidden = !state.trash;
  byId("unseen").hidden = !state.unseen;
  say(byId("unseen"), state.unseen ? `${count(state.unseen)} of an earlier review came back: start it again to see them` : "");
  showReading();
  showLabels();
}

function showReading() {
  const { reading } = state;
  byId("reading").hidden = !isComing();
  if (!isComing()) return;
  const number = (value) => value.toLocaleString("en");
  const of = reading && reading.expected !== null ? ` of ${number(reading.expected)}` : "";
  say(byId("reading"), reading ? `${STAGES[reading.stage]}: ${number(reading.read)}${of}.` : "More pictures follow.");
}

/** Whether there will be something to decide about, but is not yet. */
const isComing = () => Boolean(state.reading) || (!group && state.left > 0);

function showLabels() {
  byId("labels").replaceChildren(...state.labels.slice(0, MOST_BUTTONS).map((entry) => {
    const parts = [el("span", { text: entry.label }), el("span", { class: "count number", text: entry.count })];
    if (entry.key) parts.unshift(el("kbd", { text: entry.key, "aria-hidden": "true" }));
    const put = () => decide("/relabel", { label: entry.label });
    const keys = entry.key || null;
    return el("li", {}, el("button", { type: "button", onclick: put, "aria-keyshortcuts": keys }, ...parts));
  }));
  byId("known").replaceChildren(...state.labels.map((entry) => el("option", { value: entry.label })));
}

function showGroup() {
  byId("group").hidden = !group;
  byId("over").hidden = Boolean(group) || isComing();
  if (!group) {
    if (isComing()) waitForMore();
    else byId("over-title").focus();
    return;
  }
  chosen = new Set(group.pictures.map((picture) => picture.id));
  current = 0;
  byId("pictures").replaceChildren(...group.pictures.map(tile));
  showChoice();
  showLarge();
  byId("title").focus();
}

function tile(picture, number) {
  const name = `picture ${number + 1}, ${picture.guess || "no guess"}`;
  return el("li", {}, el("button", {
    type: "button",
    "data-id": picture.id,
    "aria-pressed": "true",
    onclick: () => { current = number; toggle(picture.id); showLarge(); },
    onfocus: () => { current = number; showLarge(); },
  },
    el("img", { src: `/thumbnail?id=${encodeURIComponent(picture.id)}`, alt: name, loading: "lazy", width: 104, height: 104 }),
    el("span", { text: picture.guess ? `${picture.guess} ${percent(picture.score)}` : "no guess", "aria-hidden": "true" }),
  ));
}

function showChoice() {
  for (const button of byId("pictures").querySelectorAll("button")) {
    button.setAttribute("aria-pressed", String(chosen.has(button.dataset.id)));
  }
  const found = guesses();
  const [label] = found[0] ?? [""];
  const what = found.length > 1
    ? `Accept each as guessed: ${found.map(([name, times]) => `${name || "no guess"} ${times}`).join(", ")}`
    : `Accept: ${label || "no guess"}`;
  byId("accept").replaceChildren(el("span", { text: what }), el("kbd", { text: "Enter", "aria-hidden": "true" }));
  byId("accept").disabled = !chosen.size || found.some(([name]) => !name);
  byId("reject").disabled = !chosen.size;
  say(byId("chosen"), `${chosen.size} of ${count(group.pictures.length)} chosen`);
  const first = group.pictures[0];
  const guessed = first.guess ? `${first.guess}, ${percent(first.score)} sure` : "no guess";
  say(byId("title"), `Group ${skip + 1} of ${groups}: ${count(group.pictures.length)}, ${guessed}`);
}

function showLarge() {
  const picture = group.pictures[current];
  const source = `/picture?id=${encodeURIComponent(picture.id)}`;
  const alt = `picture ${current + 1} of ${group.pictures.length}, large`;
  // An element of its own: with another `src` it would show the picture before until this one came.
  if (byId("large").getAttribute("src") !== source) {
    byId("large").replaceWith(el("img", { id: "large", src: source, alt }));
  }
  byId("large").alt = alt;
  const guessed = picture.guess ? `: ${picture.guess} ${percent(picture.score)}` : "";
  say(byId("caption"), `${picture.name}${guessed}`);
}

function toggle(id) {
  if (!chosen.delete(id)) chosen.add(id);
  showChoice();
}

function toggleAll() {
  if (!group) return;
  chosen = new Set(chosen.size === group.pictures.length ? [] : group.pictures.map((picture) => picture.id));
  showChoice();
}

function step(by) {
  if (!group) return;
  current = (current + by + group.pictures.length) % group.pictures.length;
  byId("pictures").querySelectorAll("button")[current].focus();
}

let timer = 0;

/** Ask how far it is, until there is a group or nothing is left. */
function waitForMore() {
  clearTimeout(timer);
  timer = setTimeout(() => once(async () => {
    state = await ask("/state");
    if (state.reading) waitForMore();
    else await load(0);
    showState();
  }, waitForMore), POLL_MS);
}

async function load(wanted) {
  const found = await ask(`/group?skip=${Math.max(0, wanted)}`);
  ({ group, groups, skip } = found);
  showGroup();
}

/** Do one thing at a time: a key that is held must not decide about the next group. */
async function once(work, orElse = () => {}) {
  if (isBusy) { orElse(); return; }
  isBusy = true;
  byId("main").setAttribute("aria-busy", "true");
  try {
    await work();
    byId("problem").hidden = true;
  } catch (wrong) {
    say(byId("problem"), wrong.message);
    byId("problem").hidden = false;
    orElse();
  } finally {
    isBusy = false;
    byId("main").setAttribute("aria-busy", "false");
  }
}

function tell(change) {
  const put = change.labels.length ? ` as ${change.labels.join(", ")}` : "";
  const gone = change.missing ? `; ${count(change.missing)} gone` : "";
  const why = change.problem ? `; not the others: ${change.problem}` : "";
  const text = `${count(change.count)} ${WORDS[change.kind] ?? change.kind}${put}${gone}${why}`;
  toast(text, { label: "Undo", act: undo });
}

const decide = (path, more) => once(async () => {
  if (!group || !chosen.size) return;
  const ids = group.pictures.map((picture) => picture.id).filter((id) => chosen.has(id));
  for (let start = 0; start < ids.length; start += state.most) {
    const part = ids.slice(start, start + state.most);
    const answer = await ask(path, { ids: part, ...more });
    state = answer.state;
    tell(answer.change);
  }
  showState();
  // What was not chosen of this group stays: it comes next.
  await load(skip);
  showState();
});

const undo = () => once(async () => {
  if (!state.undo) return;
  const answer = await ask("/undo", {});
  state = answer.state;
  await load(skip);
  showState();
  toast(`taken back: ${count(answer.change.count)}`);
});

const move = (by) => once(async () => {
  if (groups) await load((skip + by + groups) % groups);
});

const empty = () => once(async () => {
  if (!window.confirm(`Delete ${count(state.trash)} from ${state.folder} for good? What was accepted is in ${state.into}.`)) return;
  state = (await ask("/empty-trash", {})).state;
  showState();
});

function onLetter(event) {
  if (event.repeat) return;
  const entry = state.labels.find((one) => one.key && one.key === event.key.toLowerCase());
  if (entry) decide("/relabel", { label: entry.label });
}

byId("accept").addEventListener("click", () => decide("/accept"));
byId("reject").addEventListener("click", () => decide("/reject"));
byId("undo").addEventListener("click", undo);
byId("later").addEventListener("click", () => move(1));
byId("back").addEventListener("click", () => move(-1));
byId("all").addEventListener("click", toggleAll);
byId("empty").addEventListener("click", empty);
byId("other").addEventListener("submit", (event) => {
  event.preventDefault();
  const label = byId("name").value.trim();
  if (!label) return;
  byId("name").value = "";
  byId("name").blur();
  decide("/relabel", { label });
});
byId("name").addEventListener("keydown", (event) => { if (event.key === "Escape") byId("name").blur(); });

const unlessRepeated = (act) => (event) => { if (!event.repeat) act(event); };
const keys = {
  a: unlessRepeated(() => decide("/accept")),
  x: unlessRepeated(() => decide("/reject")),
  u: unlessRepeated(undo),
  l: unlessRepeated(toggleAll),
  b: unlessRepeated(() => move(-1)),
  ".": unlessRepeated(() => move(1)),
  n: () => byId("name").focus(),
  ArrowRight: () => step(1),
  ArrowLeft: () => step(-1),
};
for (const key of "123456789cdefghijkmopqrstvwyz") keys[key] = onLetter;
onKeys(keys);
// Enter accepts, but where a button has the focus it is that button's.
document.addEventListener("keydown", (event) => {
  const isPlain = event.key === "Enter" && !event.repeat && !event.ctrlKey && !event.altKey && !event.metaKey;
  if (isPlain && !event.target.closest("button, input, a, summary")) decide("/accept");
});

once(async () => {
  state = await ask("/state");
  if (state.reading) waitForMore();
  else await load(0);
  showState();
});
