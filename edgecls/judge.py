"""The model at work: a frame becomes events; a candidate beside it, a new file in its place."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgecls.classifier import Classifier
from edgecls.contract.events import ChangeEvent, Event, LabelEvent, ModelEvent, PredictionEvent
from edgecls.decision import Decider, Decision, DecisionSettings
from edgecls.errors import EdgeclsError, EngineError, FrameFailedError
from edgecls.imaging.captured import CapturedFrame
from edgecls.imaging.decode import Frame
from edgecls.timing import Latencies

if TYPE_CHECKING:  # none is imported where it is not asked for
    from edgecls.presence import Stay
    from edgecls.reload import Reloader
    from edgecls.shadow import Shadow


@dataclass(frozen=True, slots=True)
class Moment:
    """When a frame was: `flow_s` for what depends on time, `media_s` only in a recording.

    A recording has its own time, so that a replay gives the same changes.
    """

    flow_s: float
    media_s: float | None

    @classmethod
    def of(cls, frame: CapturedFrame, *, is_live: bool) -> Moment:
        """The moment of a frame of a live source or of a recording."""
        if is_live:
            return cls(frame.captured_s, None)
        return cls(frame.media_s, frame.media_s)

    def now(self) -> float:
        """What events say: the clock's time, or that of the recording."""
        return time.time() if self.media_s is None else self.media_s


@dataclass(frozen=True, slots=True, eq=False)
class Judgement:
    """What a frame came to.

    Args:
        label: Of this frame alone, or `unknown`.
        truth: The right label, where it is known and one of the model's.
        events: In order, each with the frame that it is about.
        failure: Why the model gave nothing for this frame; None where it did.
    """

    label: str
    truth: str
    events: list[tuple[Event, CapturedFrame | None]]
    failure: FrameFailedError | None = None


class Judge:
    """Turns frames into events.

    A live source has the clock's time. A recording has its own, and nothing in its events depends
    on how fast or busy the machine is: the same recording gives the same events, byte for byte.

    Args:
        classifier: The live model; another one may take its place.
        settings: How scores become labels.
        top_k: Predictions in each event.
        shadow: A candidate that runs beside it.
        reloader: Looks for another file under the model's name.

    Raises:
        InvalidValueError: A label in `settings` that the model does not have.
    """

    def __init__(
        self,
        classifier: Classifier,
        settings: DecisionSettings,
        top_k: int,
        *,
        shadow: Shadow | None = None,
        reloader: Reloader | None = None,
    ) -> None:
        self.classifier = classifier
        self.latencies = Latencies()
        self._settings = settings
        self._top_k = top_k
        self._shadow = shadow
        self._reloader = reloader
        self._is_live = self._is_sequence = True
        self._decider = self._make_decider(classifier)
        self._known_labels = frozenset(classifier.labels)

    def start(self, *, is_live: bool, is_sequence: bool) -> None:
        """Begin with a source; what these say is in `Source`."""
        self._is_live, self._is_sequence = is_live, is_sequence
        self._decider = self._make_decider(self.classifier)
        if self._reloader is not None:
            self._reloader.start()

    def judge(self, frame: CapturedFrame, moment: Moment) -> Judgement:
        """Classify a frame and decide about it.

        Raises:
            EngineError: The engine failed, and not on this frame only.
        """
        events = self._renew(frame, moment)
        try:
            result = self.classifier.classify(pixels_of(frame))
        except FrameFailedError as failed:
            return Judgement("", "", events, failed)
        classified_s = time.monotonic()
        age_ms = (classified_s - frame.captured_s) * 1e3
        now = moment.now()
        decision = self._decider.decide(result.scores, moment.flow_s)
        # A model of other labels cannot be right or wrong about this source.
        truth = frame.truth if frame.truth in self._known_labels else ""
        prediction = PredictionEvent(
            frame=frame.index,
            time=now,
            label=decision.label,
            score=decision.score,
            predictions=self._decider.top(result.scores, self._top_k),
            # How long a run took is no property of a recording: its replay says the same.
            age_ms=age_ms if moment.media_s is None else None,
            truth=truth,
            name=frame.name,
            steady=decision.steady,
            preprocessing=self.classifier.model.card.preprocessing,
        )
        events.append((prediction, frame))
        events += _tell_changes(frame, now, decision)
        events += self._compare(frame, decision, now, truth)
        decide_ms = (time.monotonic() - classified_s) * 1e3
        self.latencies.add(
            {"decode": frame.decode_ms, **result.latency_ms, "decide": decide_ms, "age": age_ms}
        )
        return Judgement(decision.label, truth, events)

    def finish(self) -> list[tuple[Event, CapturedFrame | None]]:
        """End what runs beside the loop; gives what came late."""
        if self._reloader is not None:
            self._reloader.close()
        if self._shadow is None:
            return []
        self._shadow.close()
        return list(self._shadow.take())

    @property
    def flips_per_hour(self) -> Mapping[str, float]:
        """Since the model was loaded; see `Flips`."""
        return self._decider.flips.to_json()

    @property
    def shadow_summary(self) -> Mapping[str, Any]:
        """See `Shadow.to_json`; empty without one."""
        return self._shadow.to_json() if self._shadow is not None else {}

    def _compare(
        self, frame: CapturedFrame, decision: Decision, now: float, truth: str
    ) -> list[tuple[Event, CapturedFrame | None]]:
        if self._shadow is None:
            return []
        self._shadow.offer(frame, decision, now, truth, waits=not self._is_live)
        return list(self._shadow.take())

    def _renew(
        self, frame: CapturedFrame, moment: Moment
    ) -> list[tuple[Event, CapturedFrame | None]]:
        """Take up a new model, if there is one; says so, or why not."""
        found = self._reloader.take() if self._reloader is not None else None
        if found is None or self._reloader is None:
            return []
        old, now = self.classifier, moment.now()
        reason = ""
        stays: tuple[Stay, ...] = ()
        if isinstance(found, Classifier):
            try:
                decider = self._make_decider(found)
            except EdgeclsError as wrong:  # it lacks a label that is allowed or denied
                found.close()
                found = wrong
            else:
                stays = self._decider.leave(moment.flow_s)
                reason = self._stop_strange_shadow(found)
                self.classifier, self._decider = found, decider
                self._known_labels = frozenset(found.labels)
                old.close()
        if isinstance(found, EdgeclsError):
            reason = found.problem
        event = ModelEvent(
            "refused" if isinstance(found, EdgeclsError) else "loaded",
            now,
            str(self._reloader.path),
            hashlib.sha256(self.classifier.model.flatbuffer).hexdigest(),
            self.classifier.labels.names,
            reason,
        )
        return [*((_label_event(stay, frame, now), frame) for stay in stays), (event, None)]

    def _stop_strange_shadow(self, live: Classifier) -> str:
        if self._shadow is None:
            return ""
        try:
            self._shadow.check_labels(live.labels)
        except EdgeclsError as wrong:
            self._shadow.stop()
            return f"the comparison has ended: {wrong.problem}"
        return ""

    def _make_decider(self, classifier: Classifier) -> Decider:
        return Decider(
            classifier.labels,
            classifier.model.card.output,
            self._settings,
            is_sequence=self._is_sequence,
        )


def pixels_of(frame: CapturedFrame) -> Frame:
    """The pixels of a frame that went through `develop`.

    Raises:
        EngineError: It did not.
    """
    if frame.pixels is None:
        raise EngineError(f"frame {frame.index} reached the model without being decoded")
    return frame.pixels


def _tell_changes(
    frame: CapturedFrame, now: float, decision: Decision
) -> list[tuple[Event, CapturedFrame | None]]:
    events: list[tuple[Event, CapturedFrame | None]] = []
    if (change := decision.change) is not None:
        event = ChangeEvent(frame.index, now, change.label, change.previous, change.score)
        events.append((event, frame))
    return events + [(_label_event(stay, frame, now), frame) for stay in decision.stays]


def _label_event(stay: Stay, frame: CapturedFrame, now: float) -> LabelEvent:
    return LabelEvent(stay.state, frame.index, now, stay.label, stay.seconds)
