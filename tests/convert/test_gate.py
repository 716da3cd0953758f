"""The gate: what may be lost, what chance explains, and what is said when more is lost."""

import re

import numpy as np
import pytest

from edgecls.contract.labels import Labels
from edgecls.errors import AccuracyLossError, InvalidValueError
from edgecls.paired import chance_of_loss
from edgecls_convert.gate import (
    Tolerance,
    describe_collapse,
    lost_classes,
    passes,
    refuse_loss,
)
from edgecls_convert.parity import compare_scores
from tests.convert.comparisons import comparison

ANY_CLASS = 100.0


@pytest.mark.parametrize(
    ("before", "after", "max_drop"),
    [
        pytest.param((90, 90), (90, 88), 1.0, id="as much as is allowed passes"),
        pytest.param((70, 70), (70, 56), 7.0, id="also where division does not come out even"),
        pytest.param((90, 90), (90, 92), 0.0, id="a gain passes"),
        pytest.param((90, 90), (90, 94), -2.0, id="a gain that was demanded passes"),
    ],
)
def test_what_passes(before, after, max_drop):
    assert passes(comparison(before, after), Tolerance(max_drop, ANY_CLASS))
    assert refuse_loss(comparison(before, after), Tolerance(max_drop, ANY_CLASS)) is None


@pytest.mark.parametrize(
    ("before", "after", "max_drop"),
    [
        pytest.param((90, 90), (90, 87), 1.0, id="one picture more than allowed"),
        pytest.param((90, 90), (90, 89), 0.0, id="one picture where none is allowed"),
        pytest.param((90, 90), (90, 91), -1.0, id="a gain smaller than demanded"),
    ],
)
def test_what_is_refused(before, after, max_drop):
    with pytest.raises(AccuracyLossError):
        refuse_loss(comparison(before, after), Tolerance(max_drop, ANY_CLASS))


@pytest.mark.parametrize(
    ("lost", "gained", "chance"),
    [
        pytest.param(0, 0, 1.0, id="nothing changed"),
        pytest.param(1, 0, 1 / 2, id="one loss is a coin that fell on one side"),
        pytest.param(5, 0, 1 / 32, id="five losses are five coins"),
        pytest.param(1, 1, 3 / 4, id="at least one of two"),
        pytest.param(4, 1, 6 / 32, id="at least four of five: 5 + 1 ways of 32"),
    ],
)
def test_how_probable_a_loss_is_by_chance(lost, gained, chance):
    assert chance_of_loss(lost, gained) == chance


@pytest.mark.parametrize(
    ("after", "max_class_drop", "named"),
    [
        pytest.param((90, 84), 5.0, ["dog"], id="six lost and none gained is no chance"),
        pytest.param((90, 84), 6.0, [], id="exactly what is allowed passes"),
        pytest.param((90, 86), 3.0, [], id="four lost may be chance, though more than allowed"),
        pytest.param((70, 80), 5.0, ["cat", "dog"], id="the worst comes first"),
    ],
)
def test_classes_that_lost_too_much(after, max_class_drop, named):
    lost = lost_classes(comparison((90, 90), after), Tolerance(1.0, max_class_drop))
    assert [change.label for change in lost] == named


def many_classes(losses):
    """20 pictures of each class, all right in float; the first `losses` of each wrong in int8."""
    classes = len(losses)
    targets = np.repeat(np.arange(classes), 20)
    answers = targets.copy()
    for number, count in enumerate(losses):
        answers[20 * number : 20 * number + count] = (number + 1) % classes
    labels = Labels(tuple(f"c{number}" for number in range(classes)))
    scores = np.eye(classes, dtype=np.float32)
    return compare_scores(scores[targets], scores[answers], targets, labels)


def test_among_many_classes_one_that_seems_to_lose_is_chance():
    # 5 of 5 has a chance of 1/32: below 5% for one class, expected among twenty such classes.
    alone = many_classes([5] + [0] * 19)
    among = many_classes([5] * 20)
    assert [change.label for change in lost_classes(alone, Tolerance())] == ["c0"]
    assert lost_classes(among, Tolerance()) == []


def test_classes_in_which_little_changed_do_not_hide_one_that_lost():
    found = many_classes([8] + [1] * 49)
    assert [change.label for change in lost_classes(found, Tolerance())] == ["c0"]


def test_a_class_that_is_lost_is_refused_though_the_average_is_kept():
    with pytest.raises(AccuracyLossError) as refused:
        refuse_loss(comparison((80, 90), (100, 70)), Tolerance())
    assert refused.value.problem == (
        "the int8 model is right on 85.0% of 200 held-out pictures, the float model on 85.0%, but"
        " 1 of its classes lost more than the 5 points that are allowed: 'dog' (90.0% of its 100"
        " pictures, now 70.0%); no model was written"
    )
    assert "--max-class-drop 20" in refused.value.hint


def test_the_refusal_names_figures_class_and_remedy():
    with pytest.raises(AccuracyLossError) as refused:
        refuse_loss(comparison((90, 80), (85, 55)), Tolerance())
    # 170 and 140 of 200 are 85% and 70%.
    assert refused.value.problem == (
        "the int8 model is right on 70.0% of 200 held-out pictures, the float model on 85.0%:"
        " 15.0 points less, at most 1 are allowed; 'dog' lost most: 80.0% of its 100 pictures,"
        " now 55.0%; no model was written"
    )
    assert "--calibration" in refused.value.hint
    assert "--max-drop 15" in refused.value.hint
    assert "may be chance" not in refused.value.hint


def test_the_refusal_names_layers_causes_and_remedies():
    with pytest.raises(AccuracyLossError) as refused:
        refuse_loss(
            comparison((90, 80), (85, 55)),
            Tolerance(),
            layers=["layer stem (CONV_2D): 8 dB"],
            causes=["the calibration pictures are dark"],
            outcomes=["bias correction: 71.0%, +1.0 points"],
        )
    assert refused.value.problem.endswith(
        "; the calibration pictures are dark; most is lost in layer stem (CONV_2D): 8 dB;"
        " remedies were not enough (bias correction: 71.0%, +1.0 points); no model was written"
    )
    assert "--no-remedy" not in refused.value.hint


def test_a_loss_that_may_be_chance_is_called_so():
    with pytest.raises(AccuracyLossError) as refused:
        refuse_loss(comparison((90, 90), (88, 89)), Tolerance())
    assert "on so few pictures this may be chance (12%)" in refused.value.hint


def test_per_tensor_weights_are_told_of_per_channel_ones():
    with pytest.raises(AccuracyLossError) as refused:
        refuse_loss(comparison((90, 80), (85, 55), form="per-tensor"), Tolerance())
    assert refused.value.problem.startswith("the per-tensor model is right on")
    assert "one scale a channel (--form int8)" in refused.value.hint


def test_a_model_that_answers_one_label_to_everything_is_told_so():
    assert list(describe_collapse(comparison((90, 90), (100, 0)))) == [
        "it answers 'cat' to 100% of the pictures, and only 50% are 'cat'",
        "it never answers 'dog' any more",
    ]


def test_a_sound_model_is_not_said_to_collapse():
    assert list(describe_collapse(comparison((90, 90), (95, 85)))) == []


def answers(*shares: int) -> np.ndarray:
    """Scores of 100 pictures: so many answers of each of four classes, in order."""
    return np.eye(4, dtype=np.float32)[np.repeat(np.arange(4), shares)]


GUESSED = np.repeat(np.arange(4), 25)[np.random.default_rng(0).permutation(100)]
FOUR = Labels(("a", "b", "c", "d"))


@pytest.mark.fault(158)
def test_two_models_that_guess_equally_well_and_have_nothing_in_common_are_refused():
    found = compare_scores(answers(100, 0, 0, 0), answers(0, 100, 0, 0), GUESSED, FOUR)
    assert found.drop == 0
    assert found.agreement == 0
    with pytest.raises(AccuracyLossError) as refused:
        refuse_loss(found, Tolerance(max_class_drop=100))
    assert refused.value.problem.startswith(
        "the int8 model is right on 25.0% of 100 held-out pictures, the float model on 25.0%, but"
        " both give the same answer to only 0.0% of them, at least 75% are wanted"
    )
    assert "--min-agreement 0" in refused.value.hint
    assert passes(found, Tolerance(max_class_drop=100, min_agreement=0))


@pytest.mark.fault(158)
@pytest.mark.parametrize(
    ("alike", "is_passed"),
    [
        pytest.param(100, True, id="all"),
        pytest.param(75, True, id="as many as are wanted"),
        pytest.param(67, True, id="fewer, as chance may have it"),
        pytest.param(60, False, id="fewer than chance explains"),
    ],
)
def test_so_many_answers_must_be_alike(alike, is_passed):
    one, other = answers(100, 0, 0, 0), answers(alike, 100 - alike, 0, 0)
    found = compare_scores(one, other, GUESSED, FOUR)
    assert passes(found, Tolerance(100, 100)) is is_passed


def test_few_pictures_do_not_decide_alone():
    found = compare_scores(answers(3, 0, 0, 0), answers(2, 1, 0, 0), np.array([0, 0, 1]), FOUR)
    assert passes(found, Tolerance(100, 100))


def test_the_options_of_the_hint_let_the_model_pass():
    found = comparison((90, 90), (10, 5))
    with pytest.raises(AccuracyLossError) as refused:
        refuse_loss(found, Tolerance())
    hint = refused.value.hint
    given = [float(re.search(rf"{option} (\d+)", hint)[1]) for option in OPTIONS]
    assert passes(found, Tolerance(*given))


OPTIONS = ("--max-drop", "--max-class-drop", "--min-agreement")


@pytest.mark.parametrize("min_agreement", [float("nan"), 101.0, -1.0])
def test_an_agreement_that_is_no_share_is_refused(min_agreement):
    with pytest.raises(InvalidValueError, match=r"--min-agreement .* percent"):
        Tolerance(1.0, 5.0, min_agreement)


@pytest.mark.parametrize("max_drop", [float("nan"), float("inf"), 101.0, -100.5])
def test_a_tolerance_that_is_no_share_of_pictures_is_refused(max_drop):
    with pytest.raises(InvalidValueError, match=r"--max-drop .* percentage points"):
        Tolerance(max_drop)


@pytest.mark.parametrize("max_class_drop", [float("nan"), 101.0, -1.0])
def test_a_tolerance_of_classes_that_is_no_share_is_refused(max_class_drop):
    with pytest.raises(InvalidValueError, match=r"--max-class-drop .* percentage points"):
        Tolerance(1.0, max_class_drop)
