"""From scores to labels: thresholds, labels that may be said, flips."""

from __future__ import annotations

import numpy as np
import pytest

from edgecls.contract.card import Output
from edgecls.contract.events import UNKNOWN
from edgecls.contract.labels import Labels
from edgecls.decision import Decider, DecisionSettings, Flips, split_labels
from edgecls.errors import InvalidValueError
from edgecls.presence import Stay
from edgecls.smoothing import Change, Scores, Steadiness

PETS = Labels(("cat", "dog", "fox", "fish, gold"))
ALONE = Steadiness(0.0, 0.0, 0.0)


def scores(*values: float) -> Scores:
    return np.array(values, np.float32)


def decider(output: Output | None = None, **settings: object) -> Decider:
    return Decider(PETS, output or Output(), DecisionSettings(**settings))  # type: ignore[arg-type]


class TestThresholds:
    @pytest.mark.parametrize(
        ("output", "threshold", "label"),
        [
            pytest.param(Output(), None, "cat", id="without one the best is good enough"),
            pytest.param(Output(reject_threshold=0.75), None, UNKNOWN, id="the card's rejects"),
            pytest.param(
                Output(reject_threshold=0.75, class_thresholds={"cat": 0.5}),
                None,
                "cat",
                id="a class may have its own",
            ),
            pytest.param(
                Output(class_thresholds={"cat": 0.5}), 0.75, UNKNOWN, id="the user's goes first"
            ),
            pytest.param(Output(reject_threshold=0.75), 0.5, "cat", id="also downwards"),
        ],
    )
    def test_below_its_threshold_a_label_is_unknown(
        self, output: Output, threshold: float | None, label: str
    ) -> None:
        decision = decider(output, threshold=threshold).decide(scores(0.6, 0.2, 0.1, 0.1), 0.0)
        assert decision.label == label
        assert decision.score == pytest.approx(0.6)


class TestLabelsThatMayBeSaid:
    @pytest.mark.parametrize(
        ("settings", "label", "score"),
        [
            pytest.param({"deny": ("cat",)}, "dog", 0.25, id="the best of the others counts"),
            pytest.param({"allow": ("fox", "fish, gold")}, "fox", 0.125, id="of those allowed"),
            pytest.param(
                {"allow": ("cat", "fox"), "deny": ("cat",)}, "fox", 0.125, id="deny goes first"
            ),
            pytest.param({"deny": ("fox",)}, "cat", 0.5, id="a denied one that would not win"),
            pytest.param(
                {"deny": ("cat",), "threshold": 0.375},
                UNKNOWN,
                0.25,
                id="its score is not made larger, so a threshold still rejects",
            ),
        ],
    )
    def test_a_label_that_may_not_be_said_is_passed_over(
        self, settings: dict[str, object], label: str, score: float
    ) -> None:
        decision = decider(**settings).decide(scores(0.5, 0.25, 0.125, 0.125), 0.0)
        assert (decision.label, decision.score) == (label, score)

    def test_the_steady_label_passes_it_over_too(self) -> None:
        steady = decider(deny=("cat",), steadiness=ALONE)
        assert steady.decide(scores(0.75, 0.25, 0, 0), 0.0).change == Change("dog", UNKNOWN, 0.25)
        assert steady.decide(scores(1, 0, 0, 0), 0.1).change is None

    def test_predictions_name_only_labels_that_may_be_said(self) -> None:
        best = decider(deny=("cat",)).top(scores(0.5, 0.125, 0.25, 0.125), 3)
        assert [(p.index, p.label, p.score) for p in best] == [
            (2, "fox", 0.25),
            (1, "dog", 0.125),  # of equals, the lower index
            (3, "fish, gold", 0.125),
        ]

    @pytest.mark.parametrize("key", ["allow", "deny"])
    def test_a_name_that_is_no_label_is_refused_with_the_nearest(self, key: str) -> None:
        with pytest.raises(InvalidValueError, match="the model has no label 'Dogs'") as caught:
            decider(**{key: ("Dogs",)})
        assert caught.value.hint == "did you mean 'dog'?"

    def test_where_none_is_near_the_first_labels_are_named(self) -> None:
        with pytest.raises(InvalidValueError) as caught:
            decider(deny=("zeppelin",))
        assert caught.value.hint.startswith("its labels are 'cat', 'dog', 'fox', 'fish, gold': ")

    def test_something_must_be_left_to_say(self) -> None:
        with pytest.raises(InvalidValueError, match="every label is denied"):
            decider(allow=("cat",), deny=("cat",))

    @pytest.mark.parametrize(
        ("settings", "is_low"),
        [
            ({"deny": ("cat",)}, True),
            ({"deny": ("cat",), "threshold": 0.5}, False),
            ({}, False),
        ],
        ids=["denied, any score will do", "denied, with a threshold", "nothing denied"],
    )
    def test_it_knows_when_any_score_is_good_enough(
        self, settings: dict[str, object], is_low: bool
    ) -> None:
        assert decider(**settings).has_no_threshold is is_low


class TestCommaLists:
    @pytest.mark.parametrize(
        ("text", "names"),
        [
            ("cat", ("cat",)),
            ("cat,dog", ("cat", "dog")),
            (" cat , dog ", ("cat", "dog")),
            ("fish, gold", ("fish, gold",)),
            ("dog,fish, gold,cat", ("dog", "fish, gold", "cat")),
        ],
    )
    def test_names_may_have_commas_themselves(self, text: str, names: tuple[str, ...]) -> None:
        assert split_labels(text, PETS) == names

    def test_the_first_name_that_is_no_label_is_refused(self) -> None:
        with pytest.raises(InvalidValueError, match="the model has no label 'fish'"):
            split_labels("cat,fish,dog", PETS)


class TestFlips:
    def test_they_are_counted_by_the_hour_of_the_frames_own_time(self) -> None:
        flips = Flips()
        # Ten seconds, in which single frames change 4 times and the steady label once.
        for time_s, (label, steady) in enumerate(
            [("a", "a"), ("b", "a"), ("a", "a"), ("b", "a"), ("b", "b"), ("c", "b")]
        ):
            flips.add(label, steady, time_s * 2.0)
        assert (flips.label, flips.steady) == (4, 1)
        assert flips.to_json() == {"label": 1440.0, "steady": 360.0}  # times 3600 s / 10 s

    def test_less_than_a_second_says_nothing_of_an_hour(self) -> None:
        flips = Flips()
        flips.add("a", "a", 0.0)
        flips.add("b", "b", 0.9)
        assert flips.to_json() == {}

    def test_the_first_label_is_no_flip(self) -> None:
        steady = decider(steadiness=ALONE)
        steady.decide(scores(1, 0, 0, 0), 0.0)
        steady.decide(scores(1, 0, 0, 0), 2.0)
        assert steady.flips.to_json() == {"label": 0.0, "steady": 0.0}


class TestStays:
    def test_they_are_told_on_request(self) -> None:
        steady = decider(steadiness=ALONE, has_label_events=True)
        assert steady.decide(scores(1, 0, 0, 0), 0.0).stays == (Stay("entered", "cat"),)
        assert decider().decide(scores(1, 0, 0, 0), 0.0).stays == ()

    def test_a_time_to_hold_is_such_a_request(self) -> None:
        steady = decider(steadiness=ALONE, held_s=(2.0,))
        steady.decide(scores(1, 0, 0, 0), 0.0)
        assert steady.decide(scores(1, 0, 0, 0), 2.0).stays == (Stay("held", "cat", 2.0),)

    def test_when_the_model_goes_its_label_leaves(self) -> None:
        steady = decider(steadiness=ALONE, has_label_events=True)
        steady.decide(scores(1, 0, 0, 0), 0.0)
        assert steady.leave(3.0) == (Stay("left", "cat", 3.0),)


def test_pictures_that_do_not_follow_each_other_have_no_steady_label() -> None:
    alone = Decider(PETS, Output(), DecisionSettings(held_s=(1.0,)), is_sequence=False)
    decision = alone.decide(scores(1, 0, 0, 0), 0.0)
    assert (decision.label, decision.change, decision.stays) == ("cat", None, ())
    assert alone.flips.to_json() == {}


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"threshold": 1.5}, "the threshold is 1.5, wanted a score in 0 to 1"),
        ({"threshold": float("nan")}, "the threshold is nan, wanted a score in 0 to 1"),
        ({"held_s": (5.0, 0.0)}, "held_s is 0.0, wanted more than 0 seconds"),
    ],
    ids=str,
)
def test_settings_refuse_nonsense(settings: dict[str, object], problem: str) -> None:
    with pytest.raises(InvalidValueError, match=f"^{problem}$"):
        DecisionSettings(**settings)  # type: ignore[arg-type]
