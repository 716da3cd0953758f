// A press keeps one picture; whoever goes on holding keeps a burst.

import { ask } from "/live.js";

const HOLD_MS = 350;
// A key whose release nobody has told us of must not go on for ever.
const LONGEST_MS = 60_000;
// While it is held: how often to look whether another frame is on the screen.
const LOOK_MS = 30;

/**
 * Presses and releases of labels, by whatever hand. What is kept is what was on the screen.
 * @param {function(): {run: string, frame: number} | null} seen the frame that is there now
 * @param {function(string, object)} onReply a label, and what the board answered
 * @param {function(Error)} onFault
 * @param {function()} onHeld which labels are held has changed
 */
export function makeHands(seen, onReply, onFault, onHeld) {
  const held = new Map();

  async function work(label, grip, at) {
    try {
      const began = performance.now();
      let shown = at;
      if (!shown) throw new Error("there is no picture on the screen yet");
      let reply = await ask("/press", { label, ...shown });
      onReply(label, reply);
      await sleep(HOLD_MS - (performance.now() - began));
      while (grip.isHeld && performance.now() - began < LONGEST_MS) {
        const next = seen();
        if (!next || (next.frame === shown.frame && next.run === shown.run)) {
          await sleep(LOOK_MS);
          continue;
        }
        shown = next;
        reply = await ask("/hold", { label, burst: reply.burst, ...shown });
        onReply(label, reply);
      }
    } catch (fault) {
      onFault(fault);
    }
    if (held.get(label) === grip) release(label); // another press may be held by now
  }

  /** Press, and hold until `release`; `at` is the frame that it is about. */
  function press(label, at = seen()) {
    if (held.has(label)) return;
    const grip = { isHeld: true };
    held.set(label, grip);
    onHeld();
    work(label, grip, at);
  }

  function release(label) {
    const grip = held.get(label);
    if (!grip) return;
    grip.isHeld = false;
    held.delete(label);
    onHeld();
  }

  function releaseAll() {
    [...held.keys()].forEach(release);
  }

  window.addEventListener("blur", releaseAll);
  document.addEventListener("visibilitychange", releaseAll);
  return { press, release, seen, isHeld: (label) => held.has(label) };
}

/**
 * Let a button be pressed and held: by mouse, by touch, by Space and Enter, by a screen reader.
 * A finger that begins to scroll takes no picture.
 */
export function makeHoldable(button, label, hands) {
  let timer = 0;
  let isOurs = false; // the click that follows a press is no other one
  let touched; // what was on the screen when the finger came, which a tap is about
  const press = () => { isOurs = true; hands.press(label); };
  const release = () => { clearTimeout(timer); timer = 0; hands.release(label); };

  button.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    isOurs = false;
    if (event.pointerType !== "touch") {
      button.setPointerCapture(event.pointerId);
      press();
      return;
    }
    touched = hands.seen();
    timer = setTimeout(() => { timer = 0; press(); }, HOLD_MS);
  });
  button.addEventListener("pointerup", () => { release(); });
  button.addEventListener("pointercancel", () => { isOurs = true; touched = undefined; release(); });
  button.addEventListener("lostpointercapture", release);
  button.addEventListener("contextmenu", (event) => event.preventDefault());
  button.addEventListener("keydown", (event) => {
    if (event.key !== " " && event.key !== "Enter") return;
    event.preventDefault();
    press();
  });
  button.addEventListener("keyup", (event) => {
    if (event.key !== " " && event.key !== "Enter") return;
    event.preventDefault();
    release();
  });
  button.addEventListener("blur", release);
  button.addEventListener("click", () => {
    if (!isOurs) { hands.press(label, touched); hands.release(label); } // a tap, or a screen reader
    isOurs = false;
    touched = undefined;
  });
}

const sleep = (ms) => new Promise((done) => setTimeout(done, Math.max(0, ms)));
