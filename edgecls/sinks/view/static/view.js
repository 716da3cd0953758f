// The live view: what the board tells is put where it belongs.

import { Chart } from "./chart.js";
import { byId, clock, el, onKeys, percent, say, span, toast } from "./dom.js";
import { ask, frames, listen, save } from "./live.js";
import { describe, describeDrift } from "./words.js";

const UNKNOWN = "unknown";
const KEPT_LINES = 50;
const SILENT_MS = 3_000;
const SILENT_GAPS = 3;

const show = frames(byId("picture"), "/frames", shown);
const chart = new Chart(byId("line"), byId("turns"));
const drifting = new Map();
const troubles = new Map();

let isPaused = false;
let isOpen = false;
let isRecording = false;
let heardAt = 0;
let gap = 0; // between the last two that were heard: slow cameras are not silent
let source = { state: "back" };

// What the board tells

const handlers = {
  state(told) {
    say(byId("model"), `${told.model} · ${told.labels} labels`);
    document.title = `${told.model} · edgecls`;
    source = told.source;
    drifting.clear();
    for (const found of told.drifting) drifting.set(found.statistic, found);
    chart.begin(told.minute);
    byId("log").replaceChildren();
    troubles.clear();
    for (const event of told.events) note(event);
    tellTroubles();
  },

  // Of frames that may not be on the screen: labels and scores come with their picture.
  now(told) {
    hear();
    chart.add(told.score, told.label);
    tellSource();
  },

  event(told) {
    note(told);
    tellTroubles();
  },

  figures(told) {
    say(byId("fps"), told.fps ? told.fps.toFixed(1) : "–");
    for (const name of ["dropped", "unreadable"]) {
      if (told[name] !== undefined) say(byId(name), told[name].toLocaleString("en"));
    }
    drawStages(told.latency_ms ?? {});
    tellRecording(told.recording);
  },
};

function hear() {
  const now = performance.now();
  if (heardAt) gap = now - heardAt;
  heardAt = now;
}

/** What belongs to the frame that has just been put on the screen. */
function shown({ frame, now, kept }) {
  if (!heardAt) hear();
  byId("now").dataset.frame = frame;
  say(byId("steady"), now.steady);
  byId("steady").classList.toggle("unknown", now.steady === UNKNOWN);
  say(byId("since"), now.steady_s < 1 ? "since just now" : `for ${span(now.steady_s)}`);
  drawScores(now.predictions);
  say(byId("best"), `${now.label} ${percent(now.score)}`);
  if (now.age_ms !== undefined) say(byId("age"), `${now.age_ms.toFixed(0)} ms`);
  drawKept(kept ?? [0, 0, 1, 1]);
  tellSource();
}

/** Outline what of the picture reaches the model, where that is not all of it. */
function drawKept([x, y, width, height]) {
  const { width: across, height: down } = byId("picture");
  const outline = byId("kept");
  const isAll = width > 0.999 && height > 0.999;
  outline.toggleAttribute("hidden", isAll);
  outline.setAttribute("viewBox", `0 0 ${across} ${down}`);
  for (const line of outline.children) {
    for (const [name, value] of Object.entries({ x: x * across, y: y * down, width: width * across, height: height * down })) {
      line.setAttribute(name, value);
    }
  }
}

function note(event) {
  if (event.event === "source") source = event;
  if (event.event === "drift") {
    if (event.state === "drifting") drifting.set(event.statistic, event);
    else drifting.delete(event.statistic);
  }
  if (event.event === "warning") {
    if (event.state === "begin") troubles.set(event.trouble, event.reason);
    else troubles.delete(event.trouble);
  }
  if (event.event === "model" && event.state === "loaded") {
    drifting.clear();
    say(byId("model"), `${event.model.split("/").pop()} · ${event.labels.length} labels`);
  }
  const line = el("li", {}, el("time", { text: clock(event.time ?? Date.now() / 1000) }),
    el("span", { text: describe(event) }));
  byId("log").prepend(line);
  if (byId("log").childElementCount > KEPT_LINES) byId("log").lastElementChild.remove();
  byId("nothing").hidden = true;
}

function drawScores(predictions) {
  const list = byId("scores");
  while (list.childElementCount > predictions.length) list.lastElementChild.remove();
  predictions.forEach((prediction, place) => {
    const line = list.children[place] ?? list.appendChild(el("li", {}, el("span", { class: "name" }),
      el("span", { class: "number" }), el("span", { class: "track", "aria-hidden": "true" },
        el("span", { class: "fill" }))));
    say(line.children[0], prediction.label);
    say(line.children[1], percent(prediction.score));
    line.querySelector(".fill").style.width = percent(prediction.score);
  });
}

function drawStages(latency) {
  const rows = Object.entries(latency).filter(([stage]) => stage !== "age");
  byId("stages").replaceChildren(...rows.map(([stage, values]) => el("tr", {},
    el("th", { scope: "row", text: stage }),
    ...["p50", "p95", "p99"].map((name) => el("td", { text: values[name].toFixed(1) })))));
}

function tellTroubles() {
  byId("drift").hidden = drifting.size === 0;
  say(byId("drift"), describeDrift([...drifting.values()]));
  byId("trouble").hidden = troubles.size === 0;
  say(byId("trouble"), [...troubles.values()].join(" "));
  tellSource();
}

function tellSource() {
  const pill = byId("source");
  const isSilent = heardAt > 0 && performance.now() - heardAt > Math.max(SILENT_MS, SILENT_GAPS * gap);
  const isLost = source.state === "lost";
  pill.className = `pill ${isLost ? "bad" : isSilent ? "warn" : "good"}`;
  say(pill, isLost ? "source lost" : isSilent ? "no frames" : "source live");
  pill.title = [source.source, source.reason].filter(Boolean).join(": ");
  // What was seen last is no news while nothing comes.
  byId("now").classList.toggle("stale", isLost || isSilent || !isOpen);
  drawVeil(isLost);
}

function drawVeil(isLost) {
  const isBlank = byId("picture").hidden;
  const text = !isOpen ? "No connection to the board"
    : isLost ? "The source is lost; it is tried again and again"
    : isPaused ? "Paused" : isBlank ? "No picture yet" : "";
  byId("veil").hidden = text === "";
  byId("veil").parentElement.classList.toggle("noted", text !== "" && !isBlank);
  say(byId("veil"), text);
}

function tellRecording(recording) {
  const button = byId("record");
  button.hidden = !recording;
  if (!recording) return;
  isRecording = recording.on;
  button.setAttribute("aria-pressed", String(recording.on));
  say(byId("recorded"), recording.recorded === 1 ? "1 picture kept"
    : `${recording.recorded.toLocaleString("en")} pictures kept`);
}

// What people do

async function toggleRecording() {
  if (byId("record").hidden) return;
  try {
    const told = await ask("/recording", { on: !isRecording });
    tellRecording(told.recording);
    toast(told.recording.on ? "Pictures are kept" : "No pictures are kept");
  } catch (wrong) {
    toast(wrong.message);
  }
}

function togglePicture() {
  isPaused = !isPaused;
  byId("pause").setAttribute("aria-pressed", String(isPaused));
  show(isOpen && !isPaused);
  tellSource();
}

/** Save the frame that is on the screen, as large as the camera sent it. */
async function takeSnapshot(event) {
  event.preventDefault();
  const { run, frame } = byId("picture").dataset;
  if (frame === undefined) {
    toast("there is no picture yet");
    return;
  }
  try {
    await save(`/snapshot?${new URLSearchParams({ run, frame })}`);
  } catch (wrong) {
    toast(wrong.message);
  }
}

byId("snapshot").addEventListener("click", takeSnapshot);
byId("record").addEventListener("click", toggleRecording);
byId("pause").addEventListener("click", togglePicture);
onKeys({ s: () => byId("snapshot").click(), r: toggleRecording, p: togglePicture });
setInterval(tellSource, 1_000);

listen("/events", handlers, (state) => {
  const pill = byId("link");
  isOpen = state === "open";
  pill.className = `pill ${isOpen ? "good" : state === "lost" ? "bad" : ""}`;
  say(pill, { connecting: "connecting", open: "connected", lost: "connection lost", hidden: "hidden" }[state]);
  if (state === "open" || state === "hidden") show(isOpen && !isPaused);
  tellSource();
});
