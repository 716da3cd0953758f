// What the loop's events mean, in words.

import { percent, span } from "./dom.js";

const because = (reason) => (reason ? `: ${reason}` : "");

const WORDS = {
  change: (event) => `${event.label} (${percent(event.score)}), before ${event.previous}`,
  entered: (event) => `${event.label} entered`,
  left: (event) => `${event.label} left after ${span(event.seconds)}`,
  held: (event) => `${event.label} is there for ${span(event.seconds)}`,
  shadow: (event) => `${event.label} (${percent(event.score)}), the candidate says ${event.candidate} (${percent(event.candidate_score)})`,
  model: (event) => (event.state === "loaded"
    ? `a new model is at work: ${event.model}${because(event.reason)}`
    : `a new model was refused${because(event.reason)}`),
  source: (event) => (event.state === "lost" ? `the source is lost${because(event.reason)}` : "the source is back"),
  unreadable: (event) => `a frame could not be read${because(event.reason)}`,
  drift: (event) => (event.state === "drifting" ? describeDrift([event]) : `${event.statistic} is as learnt again`),
  warning: (event) => (event.state === "begin" ? event.reason : `no longer ${event.trouble}, after ${span(event.seconds)}`),
  summary: (event) => `the loop has ended: ${event.classified.toLocaleString("en")} frames classified`,
};

/** One event as a line. */
export function describe(event) {
  return (WORDS[event.event] ?? ((other) => other.event))(event);
}

/** What has left what the model learnt, as a line; empty for nothing. */
export function describeDrift(events) {
  if (events.length === 0) return "";
  const told = events.map(({ statistic, seen, learnt }) =>
    `${statistic} is ${short(seen)}, learnt ${short(learnt.low)} to ${short(learnt.high)}`);
  return `What the camera sees has left what the model learnt: ${told.join("; ")}`;
}

const short = (number) => String(Number(number.toPrecision(3)));
