"""The card: what a model promises to every board that runs it."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from edgecls.contract.json_text import read_object
from edgecls.contract.labels import Labels
from edgecls.contract.learnt import Learnt
from edgecls.contract.preprocessing import Preprocessing
from edgecls.errors import InvalidValueError

SCHEMA: Final = 1
_T = TypeVar("_T")
MAX_CARD_BYTES = 4 << 20
# Of the metrics, by form or of all: what is shown and compared.
_FIGURES: Final = (
    *("top1", "top5", "macro_f1", "calibration_error", "images"),
    *("coverage", "precision", "agreement", "drop"),
)


@dataclass(frozen=True, slots=True)
class Output:
    """How scores become a decision.

    Args:
        temperature: Divides the logarithm of the scores; 1.0 leaves them as they are, above 1 makes
            them less certain.
        reject_threshold: Below this score (0-1) the answer is "unknown".
        class_thresholds: Label -> its own threshold, where it differs.
    """

    temperature: float = 1.0
    reject_threshold: float = 0.0
    class_thresholds: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not (math.isfinite(self.temperature) and 0.01 <= self.temperature <= 100.0):
            raise InvalidValueError(f"temperature {self.temperature!r} is not in 0.01 to 100")
        for name, score in (("reject", self.reject_threshold), *self.class_thresholds.items()):
            if not 0.0 <= score <= 1.0:
                raise InvalidValueError(
                    f"threshold of {name!r} is {score!r}, not a score in 0 to 1"
                )

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "temperature": self.temperature,
            "reject_threshold": self.reject_threshold,
            "class_thresholds": dict(self.class_thresholds),
        }


@dataclass(frozen=True, slots=True)
class ModelCard:
    """Labels, preparation, decision, provenance and measured quality of one model.

    Args:
        labels: In the order of the model's outputs.
        preprocessing: From frame to image.
        output: From scores to decision.
        provenance: Recipe, data set fingerprint, split, seed, library versions: plain JSON.
        metrics: Measured quality by form (`float`, `int8`): plain JSON.
        sha256: Of the flatbuffer bytes; empty until the card is put into a model file.
        golden_sha256: Of `golden.npz`; empty where there are no golden vectors.
        cost: Of one inference, as `contract.cost.to_cost` counts it: MACs, parameters, memory,
            operators and the oldest runtime. Plain JSON; empty in cards of before.
        learnt: Statistic -> what it was over the held-out pictures, by which boards notice that
            they see something else; empty in cards of before.
    """

    labels: Labels
    preprocessing: Preprocessing
    output: Output = field(default_factory=Output)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    sha256: str = ""
    golden_sha256: str = ""
    cost: Mapping[str, Any] = field(default_factory=dict)
    learnt: Mapping[str, Learnt] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("sha256", "golden_sha256"):
            if not re.fullmatch(r"([0-9a-f]{64})?", getattr(self, name)):
                raise InvalidValueError(f"{name} {getattr(self, name)!r} is not 64 hex digits")
        strangers = set(self.output.class_thresholds) - set(self.labels)
        if strangers:
            raise InvalidValueError(f"a threshold is set for {min(strangers)!r}, which is no label")

    def to_json(self) -> str:
        """The card as `card.json` holds it: sorted keys, so equal cards are equal bytes."""
        value = {
            "schema": SCHEMA,
            "labels": list(self.labels),
            "input": {**dataclasses.asdict(self.preprocessing)},
            "output": self.output.to_json(),
            "provenance": dict(self.provenance),
            "metrics": dict(self.metrics),
            "cost": dict(self.cost),
            "sha256": self.sha256,
            "golden_sha256": self.golden_sha256,
            **({"learnt": {k: v.to_json() for k, v in self.learnt.items()}} if self.learnt else {}),
        }
        return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> ModelCard:
        """Read `card.json`; unknown fields are ignored, so that later versions may add some.

        Raises:
            InvalidValueError: Not JSON, another schema, a field missing, of a wrong type or value.
        """
        content = read_object(text, "card.json", most_bytes=MAX_CARD_BYTES)
        fields = _Fields("card.json", dict(content.fields))
        schema = fields.get("schema", int)
        if schema != SCHEMA:
            raise InvalidValueError(
                f"card.json has schema {schema}, this edgecls reads {SCHEMA}",
                hint="the model was made by another edgecls; in a checkout: git pull &&"
                " pip install .",
            )
        entry = _Fields("input", fields.get("input", dict))
        decision = _Fields("output", fields.get("output", dict))
        thresholds = decision.get("class_thresholds", dict)
        return cls(
            labels=Labels(_strings("labels", fields.get("labels", list))),
            preprocessing=Preprocessing(
                size=_size(entry.get("size", list)),
                channels=entry.get("channels", str),  # type: ignore[arg-type]  # refused there
                crop=entry.get("crop", str),  # type: ignore[arg-type]  # refused there
                crop_fraction=entry.number("crop_fraction"),
                resize=entry.get("resize", str),
            ),
            output=Output(
                temperature=decision.number("temperature"),
                reject_threshold=decision.number("reject_threshold"),
                class_thresholds={
                    name: _Fields("class_thresholds", thresholds).number(name)
                    for name in thresholds
                },
            ),
            provenance=fields.get("provenance", dict),
            metrics=_measured(fields.get("metrics", dict)),
            cost=fields.get("cost", dict) if "cost" in fields else {},
            sha256=fields.get("sha256", str),
            golden_sha256=fields.get("golden_sha256", str),
            learnt={
                name: Learnt.from_json(entry)
                for name, entry in (
                    fields.get("learnt", dict) if "learnt" in fields else {}
                ).items()
            },
        )


class _Fields:
    """A JSON object whose fields are asked for by name and type."""

    def __init__(self, where: str, value: dict[str, Any]) -> None:
        self._where = where
        self._value = value

    def __contains__(self, name: str) -> bool:
        return name in self._value

    def get(self, name: str, wanted: type[_T]) -> _T:
        value = self._value.get(name)
        # bool is an int in Python, in a card it is not.
        if not isinstance(value, wanted) or isinstance(value, bool):
            found = "is missing" if name not in self._value else f"is {value!r:.60}"
            raise InvalidValueError(
                f"{self._where}: {name!r} {found}, wanted {wanted.__name__}",
                hint="the card is damaged or edited by hand; run 'edgecls convert' again",
            )
        return value

    def number(self, name: str) -> float:
        value = self._value.get(name)
        # Beyond 2**53 no setting goes, and beyond 1e308 `float` fails.
        if type(value) is int and abs(value) < 1 << 53:
            return float(value)
        return self.get(name, float)


def _measured(metrics: dict[str, Any]) -> dict[str, Any]:
    """What was measured; those who print or compare a figure may rely on its being a number."""
    for form in (metrics, *(value for value in metrics.values() if isinstance(value, dict))):
        figures = _Fields("metrics", form)
        for name in _FIGURES:
            if name in figures:
                figures.number(name)
    return metrics


def _strings(name: str, values: list[Any]) -> tuple[str, ...]:
    for value in values:
        if not isinstance(value, str):
            raise InvalidValueError(f"card.json: {name!r} holds {value!r:.60}, wanted text")
    return tuple(values)


def _size(values: list[Any]) -> tuple[int, int]:
    if len(values) != 2:
        raise InvalidValueError(f"input: 'size' is {values!r:.60}, wanted [height, width]")
    return values[0], values[1]  # Preprocessing refuses what is no int
