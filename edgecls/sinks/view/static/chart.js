// The best score over the last minute, as a line; where the label became another one, an upright.

const MINUTE_S = 60;
const STEP_MS = 250;
const GAP_S = 3;

export class Chart {
  /** @param {SVGPathElement} line @param {SVGPathElement} turns */
  constructor(line, turns) {
    this.line = line;
    this.turns = turns;
    this.samples = [];
    this.drawnAt = 0;
  }

  /** Begin with the board's memory: [seconds ago, score, label], the oldest first. */
  begin(minute) {
    const now = performance.now() / 1000;
    this.samples = minute.map(([ago, score, label]) => ({ at: now - ago, score, label }));
    this.draw(now);
  }

  /** One more, now. */
  add(score, label) {
    const now = performance.now();
    const last = this.samples.at(-1);
    if (last && last.label === label && now / 1000 - last.at < STEP_MS / 1000) return;
    this.samples.push({ at: now / 1000, score, label });
    if (now - this.drawnAt >= STEP_MS) {
      this.drawnAt = now;
      this.draw(now / 1000);
    }
  }

  draw(now) {
    this.samples = this.samples.filter((sample) => now - sample.at <= MINUTE_S);
    let line = "";
    let turns = "";
    let before = null;
    for (const sample of this.samples) {
      const x = (MINUTE_S - (now - sample.at)).toFixed(2);
      const isNew = !before || sample.at - before.at > GAP_S;
      line += `${isNew ? "M" : "L"}${x} ${(100 - 100 * sample.score).toFixed(1)}`;
      if (before && before.label !== sample.label) turns += `M${x} 0V100`;
      before = sample;
    }
    this.line.setAttribute("d", line);
    this.turns.setAttribute("d", turns);
  }
}
