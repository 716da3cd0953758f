// The pictures of one label: looked at, and chosen many at once.

import { byId, el, say } from "/dom.js";
import { ask } from "/live.js";

// Of one page of them: more would only make a phone slow.
const ON_A_PAGE = 120;
const AT_ONCE = 2;

/**
 * @param {function()} onSelected what is chosen has changed
 * @param {function(string)} onOpen look at a picture large, by its id
 */
export function makeGrid(onSelected, onOpen) {
  const list = byId("grid");
  let label = "";
  let stamp = "";
  let skip = 0;
  let selected = new Set();
  let last = null; // where a range begins
  let asked = 0;

  const loading = makeQueue();

  const options = () => [...list.children];
  const idOf = (option) => option.dataset.id;

  async function load() {
    const number = (asked += 1);
    const query = new URLSearchParams({ label, count: ON_A_PAGE, skip });
    const found = await ask(`/pictures?${query}`);
    if (number !== asked) return; // another one was asked for meanwhile
    if (skip && !found.pictures.length) { // what was on this page is gone
      skip = Math.max(0, Math.ceil(found.total / ON_A_PAGE) - 1) * ON_A_PAGE;
      load();
      return;
    }
    const known = new Map(options().map((option) => [idOf(option), option]));
    const hadFocus = list.contains(document.activeElement) && document.activeElement !== list;
    const place = options().indexOf(document.activeElement);
    list.replaceChildren(...found.pictures.map((picture, index) =>
      known.get(picture.id) ?? makeOption(picture, found.total - skip - index)));
    selected = new Set(found.pictures.map((picture) => picture.id).filter((id) => selected.has(id)));
    byId("empty").hidden = found.total > 0;
    const end = skip + found.pictures.length;
    byId("pages").hidden = found.total <= ON_A_PAGE;
    byId("newer").disabled = skip === 0;
    byId("older").disabled = end >= found.total;
    say(byId("place"), `${group(skip + 1)} to ${group(end)} of ${group(found.total)}, the newest first`);
    mark();
    if (hadFocus && !list.contains(document.activeElement)) {
      (options()[Math.min(place, options().length - 1)] ?? list).focus();
    }
  }

  function makeOption(picture, number) {
    const option = el("li", {
      role: "option", tabindex: -1, "aria-label": `Picture ${number}, ${picture.name}`,
      title: picture.name,
    });
    option.dataset.id = picture.id;
    const image = el("img", { alt: "" });
    option.append(image);
    loading.add(image, `/thumbnail?id=${picture.id}`);
    return option;
  }

  function mark() {
    for (const option of options()) {
      option.setAttribute("aria-selected", selected.has(idOf(option)));
    }
    // One picture can be reached with Tab, the others with arrows.
    const all = options();
    const reached = all.find((option) => option === document.activeElement)
      ?? all.find((option) => selected.has(idOf(option))) ?? all[0];
    all.forEach((option) => { option.tabIndex = option === reached ? 0 : -1; });
    list.tabIndex = reached ? -1 : 0;
    onSelected();
  }

  function choose(option, isRange) {
    const id = idOf(option);
    if (isRange && last && options().includes(last)) {
      const [from, to] = [options().indexOf(last), options().indexOf(option)].sort((a, b) => a - b);
      options().slice(from, to + 1).forEach((other) => selected.add(idOf(other)));
    } else {
      if (selected.has(id)) selected.delete(id);
      else selected.add(id);
      last = option;
    }
    mark();
  }

  function go(option, event) {
    if (!option) return;
    options().forEach((other) => { other.tabIndex = -1; });
    option.tabIndex = 0;
    if (event?.shiftKey) {
      const from = document.activeElement;
      if (list.contains(from) && from !== list) selected.add(idOf(from));
      selected.add(idOf(option));
      last = option;
      mark();
    }
    option.focus();
  }

  function columns() {
    const all = options();
    const top = all[0]?.offsetTop;
    const next = all.findIndex((option) => option.offsetTop !== top);
    return next < 0 ? all.length : next;
  }

  list.addEventListener("click", (event) => {
    const option = event.target.closest("li");
    if (!option) return;
    go(option);
    choose(option, event.shiftKey);
  });
  list.addEventListener("dblclick", (event) => {
    const option = event.target.closest("li");
    if (option) onOpen(idOf(option), option.title);
  });
  list.addEventListener("keydown", (event) => {
    const all = options();
    const at = all.indexOf(document.activeElement);
    const moves = {
      ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + columns(), ArrowUp: at - columns(),
      Home: 0, End: all.length - 1,
    };
    if (event.key in moves) go(all[moves[event.key]] , event);
    else if (event.key === " " && at >= 0) choose(all[at], event.shiftKey);
    else if (event.key === "Enter" && at >= 0) onOpen(idOf(all[at]), all[at].title);
    else if (event.key === "Escape") none();
    else if (event.key.toLowerCase() === "a" && (event.ctrlKey || event.metaKey)) everything();
    else return;
    event.preventDefault();
  });
  byId("newer").addEventListener("click", () => turn(skip - ON_A_PAGE));
  byId("older").addEventListener("click", () => turn(skip + ON_A_PAGE));

  /** Show another page; what was chosen on this one is chosen no more: nobody would see it. */
  function turn(to) {
    skip = Math.max(0, to);
    selected = new Set();
    last = null;
    load().catch(() => { stamp = ""; });
  }

  function everything() {
    selected = new Set(options().map(idOf));
    mark();
  }

  function none() {
    selected = new Set();
    mark();
  }

  /** Show the pictures of a label, if they are others than those that are shown. */
  function show(newLabel, newStamp) {
    if (newLabel === label && newStamp === stamp) return;
    if (newLabel !== label) {
      skip = 0;
      selected = new Set();
      last = null;
      list.replaceChildren();
    }
    label = newLabel;
    stamp = newStamp;
    load().catch(() => { stamp = ""; });
  }

  return {
    show, everything, none,
    get label() { return label; },
    get selected() { return [...selected]; },
    get size() { return options().length; },
    focus: () => (options().find((option) => option.tabIndex === 0) ?? list).focus(),
    hasFocus: () => list.contains(document.activeElement),
  };
}

const group = (number) => number.toLocaleString("en");

/**
 * Load images a few at a time: a press must not wait behind sixty of them.
 */
function makeQueue() {
  const waiting = [];
  let busy = 0;

  function pump() {
    while (busy < AT_ONCE && waiting.length) {
      const [image, src] = waiting.shift();
      if (!image.isConnected) continue; // another label is shown by now
      busy += 1;
      const done = () => { busy -= 1; pump(); };
      image.addEventListener("load", done, { once: true });
      image.addEventListener("error", done, { once: true });
      image.src = src;
    }
  }

  return { add(image, src) { waiting.push([image, src]); queueMicrotask(pump); } };
}
