"""Several recipes, compared on validation pictures within limits; the best becomes the run."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from edgecls.contract.run import RunFolder, find_latest_run
from edgecls.errors import EdgeclsError, InvalidValueError, RecipeError
from edgecls.pictures.digits import DigitPictures
from edgecls_train.cli.tune import _print_summary, _print_table, _to_amount
from edgecls_train.recipe import Backbone, Recipe
from edgecls_train.recipe_file import load_recipe
from edgecls_train.tune import Cost, Limits, Place, Trial, Tuning, plan_candidates, tune_recipes
from edgecls_train.tune.cost import measure_cost, network_form
from edgecls_train.tune.plan import (
    count_survivors,
    default_recipes,
    describe_changes,
    draw_variant,
    plan_rungs,
    scale_rate,
    scale_size,
    scale_width,
    shorten,
)
from edgecls_train.tune.results import find_front, rank

FEW = 300


class FewDigits:
    """The first of the built-in digits of every class."""

    def __init__(self) -> None:
        self._all = DigitPictures()
        step = len(self._all) // FEW
        self._chosen = range(0, step * FEW, step)
        self.origin = "digits"
        self.labels = self._all.labels
        self.names = tuple(self._all.names[index] for index in self._chosen)
        self.targets = self._all.targets[list(self._chosen)]
        self.given_subsets = None

    def __len__(self) -> int:
        return len(self.names)

    def load_frame(self, index: int) -> Any:
        return self._all.load_frame(self._chosen[index])

    def load_bytes(self, index: int) -> bytes:
        return self._all.load_bytes(self._chosen[index])

    def find_file(self, index: int) -> None:  # noqa: ARG002
        return None


def recipe_of(name: str, *layers: str, epochs: int = 1) -> Recipe:
    """A small network for the digits, without augmentation."""
    base = load_recipe("cnn").override(epochs=epochs)
    return dataclasses.replace(
        base, name=name, layers=layers, augmentation=type(base.augmentation)()
    )


SMALL = recipe_of("small", "pool", "pool", "flatten")
LARGER = recipe_of("larger", "pool", "conv 8", "pool", "flatten", "dense 32")


HUGE = recipe_of("huge", "flatten", "dense 512")
IMPOSSIBLE = dataclasses.replace(
    SMALL,
    name="impossible",
    layers=(),
    backbone=Backbone(name="resnet8", weights="imagenet", finetune="all"),
)


@pytest.fixture(scope="module")
def pictures() -> FewDigits:
    return FewDigits()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "train", tmp_path / "tune")


@pytest.fixture(scope="module")
def tuning(pictures: FewDigits, tmp_path_factory: pytest.TempPathFactory) -> Tuning:
    """Two recipes, really trained for an epoch, one that cannot be, and one that is too large."""
    root = tmp_path_factory.mktemp("tuning")
    candidates = plan_candidates([HUGE, IMPOSSIBLE, LARGER, SMALL], 0, 0)
    place = Place(root / "train", root / "tune")
    return tune_recipes(pictures, candidates, place, limits=Limits(bytes=200_000))


def trained_runs(tuning: Tuning) -> list[RunFolder]:
    return [found.run for found in tuning.trials if found.run is not None]


def trial(number: int, right: int, macs: int = 1, *, is_trained: bool = True) -> Trial:
    """A trial of 100 validation pictures."""
    run = RunFolder(Path(f"{number}")) if is_trained else None
    cost = Cost(macs=macs, parameters=1, bytes=1, latency_ms=1.0)
    return Trial(number, "r", "", 1, cost, "trained", run=run, right=right, images=100)


class Stopper:
    """A progress display that calls something when a training reports its first epoch."""

    def __init__(self, at_trial: int, stop: Callable[[], None]) -> None:
        self._wanted, self._stop = f"trial {at_trial} of", stop

    @contextlib.contextmanager
    def __call__(self, title: str, total: int) -> Iterator[Any]:  # noqa: ARG002
        def advance(done: int, note: str = "") -> None:  # noqa: ARG001
            if title.startswith(self._wanted) and title.endswith("training"):
                self._stop()

        yield advance


def press_ctrl_c() -> None:
    raise KeyboardInterrupt


class TestTuning:
    def test_every_trained_trial_is_an_ordinary_complete_run(self, tuning):
        for run in trained_runs(tuning):
            assert run.is_complete
            assert run.load_card().metrics["float"]["images"] > 0

    def test_the_cheaper_network_is_trained_first(self, tuning):
        names = [found.recipe for found in tuning.trials if found.outcome == "trained"]
        assert names == ["small", "larger"]

    def test_a_network_over_the_limit_is_not_trained(self, tuning):
        huge = tuning.trials[0]
        assert (huge.recipe, huge.outcome, huge.run) == ("huge", "over the limit", None)
        assert huge.why == f"{huge.cost.bytes:,} bytes, at most 200,000"

    def test_a_recipe_that_cannot_be_trained_does_not_stop_the_others(self, tuning):
        (failed,) = (found for found in tuning.trials if found.outcome == "failed")
        assert (failed.recipe, failed.run) == ("impossible", None)
        assert "are for colour images" in failed.why

    def test_the_winner_is_the_best_on_validation_pictures(self, tuning):
        best = max(run.load_metrics()["val"]["top1"] for run in trained_runs(tuning))
        assert tuning.winner.accuracy == pytest.approx(best, abs=1e-6)
        assert tuning.metrics["val"]["top1"] == pytest.approx(best, abs=1e-6)

    def test_the_winner_is_the_latest_run(self, tuning):
        assert find_latest_run(tuning.run.path.parent) == tuning.run
        for name in ("model.keras", "split.csv", "recipe.toml", "card.json", "history.csv"):
            ours, theirs = tuning.run.path / name, tuning.winner.run.path / name
            assert ours.read_bytes() == theirs.read_bytes()

    def test_the_winner_names_its_own_place_only(self, tuning):
        assert tuning.run.load_metrics()["run"] == str(tuning.run.path)
        assert tuning.run.load_metrics()["model"] == str(tuning.run.model_path)
        report = (tuning.run.path / "report.html").read_text("utf-8")
        assert str(tuning.run.path) in report
        assert str(tuning.winner.run.path) not in report

    def test_all_trials_split_the_pictures_in_the_same_way(self, tuning):
        first, second = (run.load_split() for run in trained_runs(tuning))
        assert first == second

    def test_no_trial_tells_its_test_accuracy(self, tuning):
        assert all("test" not in found.to_json() for found in tuning.trials)
        assert tuning.to_json()["test"]["images"] > 0

    def test_it_is_written_down_and_drawn(self, tuning):
        stored = json.loads((tuning.picture.parent / "tuning.json").read_text())
        assert stored == json.loads(json.dumps(tuning.to_json()))
        assert [entry["outcome"] for entry in stored["trials"]] == [
            *("over the limit", "trained", "trained", "failed"),
        ]
        assert tuning.picture.read_bytes().startswith(b"\x89PNG")

    def test_when_all_are_over_the_limit_the_smallest_is_named_and_nothing_is_left(
        self, pictures, place
    ):
        with pytest.raises(
            RecipeError, match=r"the smallest, 'small', takes [\d,]+ bytes, at most"
        ):
            tune_recipes(
                pictures,
                plan_candidates([LARGER, SMALL], 0, 0),
                place,
                limits=Limits(bytes=100),
            )
        assert not place.tunings.exists()
        assert not place.runs.exists()

    @pytest.mark.slow
    def test_a_search_trains_all_a_little_and_the_best_third_to_the_end(self, pictures, place):
        recipe = dataclasses.replace(SMALL, epochs=3)
        found = tune_recipes(pictures, plan_candidates([recipe], 4, 0), place, is_search=True)
        assert [t.epochs for t in found.trials] == [1, 1, 1, 1, 3, 3]
        best = {(t.recipe, t.changes) for t in rank(found.trials[:4])[:2]}
        assert {(t.recipe, t.changes) for t in found.trials[4:]} == best


class TestStopping:
    def test_ctrl_c_keeps_what_is_complete(self, pictures, place):
        said: list[str] = []
        found = tune_recipes(
            pictures,
            plan_candidates([LARGER, SMALL], 0, 0),
            place,
            progress=Stopper(2, press_ctrl_c),
            say=said.append,
        )
        assert [t.outcome for t in found.trials] == ["trained", "interrupted"]
        assert (found.winner.recipe, found.stopped) == ("small", "interrupted")
        assert find_latest_run(place.runs) == found.run
        assert said[-1] == "interrupted: the trials that are complete are kept"

    def test_ctrl_c_before_any_trial_is_complete_ends_it(self, pictures, place):
        with pytest.raises(KeyboardInterrupt):
            tune_recipes(
                pictures, plan_candidates([SMALL], 0, 0), place, progress=Stopper(1, press_ctrl_c)
            )
        assert not place.runs.exists()

    def test_without_time_for_one_trial_there_is_no_winner(self, pictures, place):
        with pytest.raises(EdgeclsError, match="the time ended before any trial was complete"):
            tune_recipes(pictures, plan_candidates([SMALL], 0, 0), place, minutes=1e-6)
        assert not place.tunings.exists()
        assert not place.runs.exists()


class TestCost:
    def test_it_is_that_of_the_network(self):
        cost = measure_cost(recipe_of("plain", "flatten"), 10)
        # One weight a pixel and class, one bias a class, and the 1/255 of the first layer.
        assert (cost.macs, cost.parameters) == (28 * 28 * 10, 28 * 28 * 10 + 10 + 1)
        assert 28 * 28 * 10 < cost.bytes < 28 * 28 * 10 + 4096
        assert cost.latency_ms > 0.0

    def test_imagenet_weights_are_not_needed_to_know_it(self):
        recipe = load_recipe("mobilenet-v2-0.35")
        pretrained = dataclasses.replace(recipe.backbone, weights="imagenet", finetune="head")
        assert network_form(dataclasses.replace(recipe, backbone=pretrained)) == network_form(
            recipe
        )

    @pytest.mark.parametrize(
        ("limits", "excess"),
        [
            pytest.param(Limits(), "", id="no limit"),
            pytest.param(Limits(bytes=2000, macs=1000, latency_ms=0.5), "", id="exactly so much"),
            pytest.param(Limits(bytes=1999), "2,000 bytes, at most 1,999", id="too large"),
            pytest.param(Limits(macs=999), "1,000 MACs, at most 999", id="too much work"),
            pytest.param(Limits(latency_ms=0.4), "0.5 ms, at most 0.4 ms", id="too slow"),
        ],
    )
    def test_what_is_over_a_limit_is_said(self, limits, excess):
        assert limits.find_excess(Cost(1000, 10, 2000, 0.5)) == excess

    @pytest.mark.parametrize("limit", [0, -1, float("nan")])
    def test_a_limit_that_leaves_nothing_is_refused(self, limit):
        with pytest.raises(InvalidValueError, match="leaves no network"):
            Limits(latency_ms=limit)


class TestRanking:
    def test_the_front_is_what_nothing_as_cheap_beats(self):
        trials = [trial(1, 90, 30), trial(2, 80, 10), trial(3, 70, 20), trial(4, 95, 40)]
        assert [t.number for t in find_front(trials, lambda cost: cost.macs)] == [2, 1, 4]

    def test_of_equals_the_cheaper_one_is_best(self):
        assert [t.number for t in rank([trial(1, 90, 30), trial(2, 90, 20)])] == [2, 1]

    def test_what_was_not_trained_is_never_best(self):
        trials = [trial(1, 100, is_trained=False), trial(2, 10)]
        assert [t.number for t in rank(trials)] == [2]
        assert [t.number for t in find_front(trials, lambda cost: cost.macs)] == [2]

    def test_a_much_cheaper_one_within_the_noise_is_pointed_out(self, tmp_path):
        # 95 of 100 is 88.8% to 97.8% (Wilson): 90 is within, 80 is not.
        trials = (trial(1, 80, 10), trial(2, 90, 20), trial(3, 95, 40))
        found = Tuning(trials, trials[2], trials[2].run, {}, tmp_path, Limits())
        assert found.cheaper is trials[1]


class TestVariants:
    def test_the_recipes_themselves_come_first(self):
        found = plan_candidates([SMALL, LARGER], 6, 1)
        assert [c.recipe for c in found[:2]] == [SMALL, LARGER]
        assert [c.recipe.name for c in found] == ["small", "larger"] * 3
        assert all(c.changes for c in found[2:])

    def test_the_same_seed_draws_the_same(self):
        first, again, other = (plan_candidates([LARGER], 5, seed) for seed in (1, 1, 2))
        assert first == again != other

    def test_no_two_are_the_same(self):
        recipes = [c.recipe for c in plan_candidates([LARGER], 9, 0)]
        assert all(recipe not in recipes[:n] for n, recipe in enumerate(recipes))

    def test_a_learning_rate_stays_within_a_factor_of_four(self):
        draw = random.Random(0)
        rates = [draw_variant(LARGER, draw).recipe.optimizer.learning_rate for _ in range(200)]
        assert min(rates) >= 0.001 / 4
        assert max(rates) <= 0.001 * 4
        assert max(rates) / min(rates) > 8

    def test_width_scales_convolutions_and_dense_layers_in_steps_of_eight(self):
        recipe = recipe_of("r", "conv 32 same norm", "pool", "flatten", "dropout 0.3", "dense 12")
        assert scale_width(recipe, 0.75).layers == (
            *("conv 24 same norm", "pool", "flatten", "dropout 0.3", "dense 8"),
        )

    def test_width_scales_a_backbone_from_scratch_and_never_a_pretrained_one(self):
        scratch, pretrained = load_recipe("mobilenet-v1-0.25"), load_recipe("efficientnet-lite0")
        assert scale_width(scratch, 2.0).backbone.width == 2 * scratch.backbone.width
        assert scale_width(pretrained, 2.0) == pretrained

    @pytest.mark.parametrize(
        ("name", "factor", "size"),
        [
            pytest.param("cnn", 0.75, (20, 20), id="small images in steps of four"),
            pytest.param("efficientnet-lite0", 0.75, (160, 160), id="large ones in steps of 32"),
        ],
    )
    def test_image_size(self, name, factor, size):
        assert scale_size(load_recipe(name), factor).preprocessing.size == size

    def test_a_rate_also_scales_that_of_fine_tuning(self):
        before = load_recipe("efficientnet-lite0")
        found = scale_rate(before, 2.0)
        rates = found.optimizer.learning_rate, found.backbone.finetune_learning_rate
        assert rates == pytest.approx(
            (2 * before.optimizer.learning_rate, 2 * before.backbone.finetune_learning_rate)
        )

    def test_augmentation_that_is_off_stays_off(self):
        draw = random.Random(3)
        drawn = [draw_variant(load_recipe("cnn"), draw).recipe.augmentation for _ in range(40)]
        assert {found.flip for found in drawn} == {False}
        assert {found.cutout for found in drawn} == {0.0}
        assert {found.shift for found in drawn} == {0.0, 0.05, 0.1, 0.15}

    def test_changes_are_named(self):
        varied = scale_size(scale_width(scale_rate(LARGER, 2.0), 1.5), 1.25)
        words = describe_changes(LARGER, varied, 1.5, 1.0)
        assert words == "rate 0.002, width x1.5, image 36"


class TestHalving:
    @pytest.mark.parametrize(
        ("count", "shares"),
        [
            pytest.param(1, (1.0,), id="one is trained to the end"),
            pytest.param(3, (1.0,), id="so are three"),
            pytest.param(4, (1 / 3, 1.0), id="four are trained for a third first"),
            pytest.param(9, (1 / 3, 1.0), id="and nine"),
            pytest.param(10, (1 / 9, 1 / 3, 1.0), id="ten for a ninth"),
        ],
    )
    def test_shares_of_the_epochs(self, count, shares):
        assert plan_rungs(count) == pytest.approx(shares)

    @pytest.mark.parametrize(("count", "left"), [(9, 3), (4, 2), (3, 1), (1, 1)])
    def test_a_third_goes_on(self, count, left):
        assert count_survivors(count) == left

    def test_a_shorter_recipe_is_shorter_in_all_its_parts(self):
        recipe = dataclasses.replace(
            IMPOSSIBLE,
            epochs=70,
            optimizer=dataclasses.replace(IMPOSSIBLE.optimizer, warmup_epochs=5),
            backbone=dataclasses.replace(IMPOSSIBLE.backbone, head_epochs=10),
        )
        found = shorten(recipe, 1 / 3)
        # Up for what trains, down for what only warms up: 23.3, 3.3 and 1.7.
        assert (found.epochs, found.backbone.head_epochs) == (24, 4)
        assert found.optimizer.warmup_epochs == 1


class TestPlans:
    def test_the_digits_get_the_three_textbook_networks(self):
        assert [r.name for r in default_recipes("digits")] == ["cnn", "cnn-dense", "cnn-deep"]

    def test_photos_get_three_recipes_for_colour(self):
        found = default_recipes("/some/photos")
        assert len({recipe.name for recipe in found}) == 3
        assert {recipe.preprocessing.channels for recipe in found} == {"RGB"}

    def test_a_recipe_that_trains_nothing_is_refused(self):
        with pytest.raises(RecipeError, match="'imagenet' trains nothing"):
            plan_candidates([load_recipe("imagenet")], 0, 0)

    def test_a_recipe_given_twice_is_refused(self):
        with pytest.raises(RecipeError, match="'small' is given twice"):
            plan_candidates([SMALL, SMALL], 0, 0)


class TestCommand:
    @pytest.mark.parametrize(
        ("amount", "number"),
        [("500k", 500_000), ("4M", 4_000_000), ("1.5m", 1_500_000), ("1200000", 1_200_000)],
    )
    def test_amounts_may_have_a_unit(self, amount, number):
        assert _to_amount(amount) == number

    @pytest.mark.parametrize("amount", ["0", "-1", "4 apples", "", "1e6", "4MB"])
    def test_other_amounts_are_wrong_usage(self, amount):
        with pytest.raises(typer.BadParameter, match="no amount above 0"):
            _to_amount(amount)

    def test_the_table_and_what_comes_next(self, monkeypatch, tuning, capsys):
        monkeypatch.chdir(tuning.run.path.parent)
        _print_table(tuning)
        _print_summary(tuning, is_default_place=False)
        lines = capsys.readouterr().out.splitlines()
        assert lines[0].split() == (
            "trial recipe epochs validation MACs int8 latency seconds".split()
        )
        assert "over the limit" in lines[1]
        assert f"{tuning.winner.accuracy:.1%}" in lines[tuning.winner.number]
        assert lines[-1] == f"next           edgecls convert {tuning.run.path} --int8"
