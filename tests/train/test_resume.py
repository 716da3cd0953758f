"""Nothing that was trained is lost: `edgecls_train.resume` and `edgecls train --resume`."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.main import get_command

from edgecls.cli.main import make_app
from edgecls.contract.run import RunFolder
from edgecls.errors import DatasetError, RecipeError, RunError
from edgecls.pictures import open_pictures
from edgecls_train.backend import load_keras
from edgecls_train.begun import Begun, load_begun, save_begun
from edgecls_train.cli.train import train
from edgecls_train.dataset import prepare_dataset
from edgecls_train.fit import fit
from edgecls_train.recipe import Recipe
from edgecls_train.recipe_file import load_recipe, recipe_to_toml
from edgecls_train.recipe_keys import FLAGS, override_recipe
from edgecls_train.resume import (
    find_interrupted_run,
    load_curve,
    open_checkpoints,
    reopen_run,
)
from edgecls_train.split import split_dataset
from edgecls_train.training import resume_classifier, train_classifier

# Of random layers, norms and moments; an epoch takes about a tenth of a second.
KNOBS = {"imgsz": 32, "batch_size": 8, "epochs": 24, "cutout": 0.3, "mixup": 0.2}


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return override_recipe(load_recipe("photos-small"), KNOBS)


def weights_of(run: RunFolder) -> list[bytes]:
    model = load_keras().saving.load_model(run.model_path)
    return [weights.tobytes() for weights in model.get_weights()]


def newest_epoch(runs: Path) -> int:
    names = [path.name for path in runs.glob("*/unfinished/epoch-*.npz")]
    return max((int(name[6:12]) for name in names), default=0)


@contextmanager
def ctrl_c_after_two_epochs(title, total):  # noqa: ARG001  # as progress is opened
    def advance(done, note=""):  # noqa: ARG001  # as progress is reported
        if title == "training" and done == 2:
            raise KeyboardInterrupt

    yield advance


@pytest.fixture
def interrupted(shapes, tmp_path, recipe) -> RunFolder:
    """A run that Ctrl-C ended after two of three epochs."""
    with pytest.raises(KeyboardInterrupt):
        train_classifier(
            open_pictures(str(shapes)),
            recipe.override(epochs=3),
            tmp_path / "runs",
            progress=ctrl_c_after_two_epochs,
        )
    return RunFolder(tmp_path / "runs" / "1")


def kill_in_mid_epoch(command: list[str], runs: Path, epoch: int, delay_s: float) -> None:
    """Run a command, and end it with kill -9 some time after an epoch's checkpoint was saved."""
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 120
        while newest_epoch(runs) < epoch:
            assert process.poll() is None, process.communicate()[1].decode()
            assert time.monotonic() < deadline
            time.sleep(0.002)
        time.sleep(delay_s)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == -signal.SIGKILL


@pytest.mark.slow
def test_three_times_kill_9_and_resume_end_in_the_same_weights(shapes, tmp_path, recipe):
    runs = tmp_path / "killed"
    (tmp_path / "recipe.toml").write_text(recipe_to_toml(recipe))
    begin = [sys.executable, "-m", "edgecls", "train", f"--out={runs}"]
    chance = random.Random(28)
    kill_in_mid_epoch(
        [*begin, str(shapes), f"--recipe={tmp_path / 'recipe.toml'}"],
        runs,
        chance.randint(1, 5),
        chance.uniform(0.0, 0.1),
    )
    for first, last in ((6, 10), (11, 16)):
        kill_in_mid_epoch(
            [*begin, "--resume"], runs, chance.randint(first, last), chance.uniform(0.0, 0.1)
        )
    resumed = resume_classifier(None, runs).run
    assert resumed.path.name == "1"
    assert not (resumed.path / "unfinished").exists()
    pictures = open_pictures(str(shapes))
    dataset = prepare_dataset(pictures, recipe.preprocessing)
    split = split_dataset(dataset, pictures, recipe.seed)
    model, history = fit(dataset, split, recipe)
    assert weights_of(resumed) == [weights.tobytes() for weights in model.get_weights()]
    assert resumed.load_metrics()["epochs"] == len(history) == 24
    assert resumed.load_split() == split.entries(dataset)


def test_ctrl_c_keeps_what_was_trained_and_says_how_to_go_on(shapes, tmp_path, recipe):
    said = []
    with pytest.raises(KeyboardInterrupt):
        train_classifier(
            open_pictures(str(shapes)),
            recipe,
            tmp_path / "runs",
            progress=ctrl_c_after_two_epochs,
            say=said.append,
        )
    run = RunFolder(tmp_path / "runs" / "1")
    assert said == [f"what was trained is kept; to go on: edgecls train --resume {run.path}"]
    assert len(open_checkpoints(run).load().history) == 2
    assert not run.is_complete


def test_a_resumed_run_repeats_no_epoch_and_has_the_whole_history(interrupted, tmp_path):
    shown = []

    @contextmanager
    def watch(title, total):  # noqa: ARG001
        yield lambda done, note="": shown.append((title, done)) if note else None

    resumed = resume_classifier(None, tmp_path / "runs", progress=watch)
    assert [done for title, done in shown if title == "training"] == [3]
    assert resumed.run == interrupted
    assert resumed.metrics["epochs"] == 3
    history = (interrupted.path / "history.csv").read_text().splitlines()
    assert [line.partition(",")[0] for line in history] == ["epoch", "1", "2", "3"]


def test_a_run_that_is_complete_is_not_resumed(interrupted, tmp_path):
    resume_classifier(interrupted)
    with pytest.raises(RunError, match="is complete: there is nothing to go on with"):
        resume_classifier(interrupted)
    with pytest.raises(RunError, match=r"no interrupted run in(.|\n)*train --resume RUN"):
        resume_classifier(None, tmp_path / "runs")


def test_the_latest_interrupted_run_is_found(interrupted, tmp_path):
    runs = tmp_path / "runs"
    later = runs / "10"
    interrupted.path.rename(later)
    (runs / "9").mkdir()
    (runs / "notes").mkdir()
    assert find_interrupted_run(runs).path == later


def test_a_run_in_training_is_left_alone(interrupted, tmp_path):
    with reopen_run(interrupted):
        with pytest.raises(RunError, match="no interrupted run"):
            find_interrupted_run(tmp_path / "runs")
        with pytest.raises(RunError, match="is being trained by another process"):
            resume_classifier(interrupted)
    assert find_interrupted_run(tmp_path / "runs") == interrupted


def test_other_pictures_than_the_run_was_begun_with_are_refused(interrupted, shapes):
    (shapes / "cross" / "00.jpg").write_bytes((shapes / "cross" / "01.jpg").read_bytes())
    with pytest.raises(RunError, match="have changed since the run was begun"):
        resume_classifier(interrupted)
    assert open_checkpoints(interrupted).any_saved


@pytest.mark.fault(157)
def test_pictures_that_have_moved_are_asked_for_and_found(interrupted, shapes):
    moved = shapes.rename(shapes.with_name("moved"))
    with pytest.raises(DatasetError) as wrong:
        resume_classifier(interrupted)
    assert f"there is no folder '{shapes}'" in wrong.value.problem
    assert wrong.value.hint.endswith(f"edgecls train --resume {interrupted.path} --data FOLDER")
    resume_classifier(interrupted, data=str(moved))
    assert interrupted.load_card().provenance["data"] == str(moved)


@pytest.mark.fault(157)
def test_other_pictures_in_another_place_are_refused(interrupted, shapes, tmp_path):
    other = shutil.copytree(shapes, tmp_path / "other")
    (other / "cross" / "00.jpg").unlink()
    with pytest.raises(RunError, match=r"other' are not those that the run was begun with, in"):
        resume_classifier(interrupted, data=str(other))
    assert load_begun(interrupted).origin == str(shapes)


def edit(run: RunFolder, before: str, after: str) -> None:
    path = run.path / "recipe.toml"
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


@pytest.mark.fault(157)
def test_a_recipe_that_was_edited_meanwhile_is_told_key_by_key(interrupted):
    edit(interrupted, "epochs = 3", "epochs = 4")
    edit(interrupted, "\nlearning_rate = 0.002", "\nlearning_rate = 0.0005")
    said = []
    resumed = resume_classifier(interrupted, say=said.append)
    assert said == [
        f"the recipe was changed since the run was begun: {change}, from here on"
        for change in ("epochs 3 -> 4", "learning_rate 0.002 -> 0.0005")
    ]
    assert resumed.metrics["epochs"] == 4
    assert resumed.metrics["recipe_changes"] == [
        "after epoch 2: epochs 3 -> 4",
        "after epoch 2: learning_rate 0.002 -> 0.0005",
    ]


@pytest.mark.fault(157)
@pytest.mark.parametrize(
    ("before", "after", "named"),
    [
        pytest.param("seed = 0", "seed = 1", "'seed' was 0", id="the seed, and so the split"),
        pytest.param("size = [32, 32]", "size = [16, 16]", "'size' was", id="the image"),
        pytest.param("dropout 0.3", "dropout 0.1", "'layers' was", id="the network"),
        pytest.param("batch_size = 8", "batch_size = 9", "'batch_size' was 8", id="the batches"),
    ],
)
def test_an_edit_that_the_rest_hangs_on_is_refused_with_its_key(interrupted, before, after, named):
    edit(interrupted, before, after)
    with pytest.raises(RecipeError) as wrong:
        resume_classifier(interrupted)
    assert named in wrong.value.problem.replace("'imgsz'", "'size'")
    assert "put it back into the run's recipe.toml" in wrong.value.hint
    assert "--learning-rate" in wrong.value.hint


def test_a_recipe_that_is_gone_is_known_all_the_same(interrupted, recipe):
    (interrupted.path / "recipe.toml").unlink()
    assert load_begun(interrupted).recipe == recipe.override(epochs=3)


# Of another value than every default and than `photos-small`, alone or with what it needs.
OTHER_VALUES = {
    "name": "mine",
    "description": "of two",
    "epochs": 7,
    "batch_size": 5,
    "seed": 9,
    "layers": "conv 4, pool, flatten",
    "mixed_precision": "off",
    "imgsz": "24x40",
    "channels": "GRAY",
    "crop": "stretch",
    "crop_fraction": 0.5,
    "backbone": "mobilenet-v2",
    "width": 0.5,
    "weights": "none",
    "dropout": 0.1,
    "finetune": "all",
    "head_epochs": 3,
    "finetune_learning_rate": 0.01,
    "optimizer": "sgd",
    "learning_rate": 0.02,
    "momentum": 0.8,
    "weight_decay": 0.03,
    "schedule": "constant",
    "warmup_epochs": 2,
    "loss": "mae",
    "label_smoothing": 0.1,
    "focal_gamma": 1.5,
    "balance": "weights",
    "l1": 0.01,
    "l2": 0.02,
    "early_stopping": 3,
    "shift": 0.2,
    "rotation_degrees": 12.0,
    "zoom": 0.2,
    "random_crop": 0.2,
    "flip": False,
    "brightness": 0.3,
    "contrast": 0.3,
    "color": 0.2,
    "cutout": 0.4,
    "randaugment": 2.0,
    "mixup": 0.3,
    "cutmix": 0.5,
}
NEEDED = {
    **{flag.name: {"backbone": "mobilenet-v2"} for flag in FLAGS if flag.table == "backbone"},
    "backbone": {},
    "weight_decay": {"optimizer": "sgd"},
    "focal_gamma": {"loss": "focal"},
    "optimizer": {"weight_decay": 0.0},
    "channels": {"color": 0.0},
    "label_smoothing": {"loss": "cross-entropy"},
}
# What is said of this command, and not of the run: it is said again, or is of no use then.
OF_THE_COMMAND = {"data", "recipe", "resume", "moved_to", "preview", "out", "as_json"}


def test_every_option_is_known_to_be_of_the_run_or_of_the_command():
    names = {parameter.name for parameter in train_options()}
    assert names == {*OTHER_VALUES, *OF_THE_COMMAND, "learning_curve"}


def train_options():
    return get_command(make_app()).commands["train"].params


@pytest.mark.fault(157)
@pytest.mark.parametrize("option", OTHER_VALUES)
def test_every_option_survives_a_resume(option, recipe, tmp_path):
    given = NEEDED.get(option, {}) | {option: OTHER_VALUES[option]}
    chosen = override_recipe(recipe, given)
    assert chosen != override_recipe(recipe, NEEDED.get(option, {}))
    run = RunFolder(tmp_path)
    (tmp_path / "unfinished").mkdir()
    save_begun(run, Begun(chosen, "x", "y", {}, learning_curve=True))
    begun = load_begun(run)
    assert (begun.recipe, begun.learning_curve, begun.edited) == (chosen, True, None)


@contextmanager
def ctrl_c_in_the_learning_curve(title, total):  # noqa: ARG001
    def advance(done, note=""):  # noqa: ARG001
        if title == "learning curve" and done == 1:
            raise KeyboardInterrupt

    yield advance


@pytest.mark.fault(157)
def test_a_learning_curve_is_finished_by_the_resumed_run_and_not_begun_anew(
    shapes, tmp_path, recipe
):
    with pytest.raises(KeyboardInterrupt):
        train_classifier(
            open_pictures(str(shapes)),
            recipe.override(epochs=2),
            tmp_path / "runs",
            learning_curve=True,
            progress=ctrl_c_in_the_learning_curve,
        )
    run = RunFolder(tmp_path / "runs" / "1")
    kept = load_curve(run)
    assert [point.share for point in kept] == [0.25]
    shown = []

    @contextmanager
    def watch(title, total):  # noqa: ARG001
        yield lambda done, note="": shown.append((title, done)) if note else None

    resumed = resume_classifier(run, progress=watch)
    assert [done for title, done in shown if title == "learning curve"] == [2]
    points = resumed.metrics["learning_curve"]["points"]
    assert points[0] == kept[0].to_json()
    assert [point["share"] for point in points] == [0.25, 0.5, 1.0]


def test_other_versions_are_told(interrupted):
    path = interrupted.path / "unfinished" / "begun.json"
    current = load_begun(interrupted).versions["keras"]
    path.write_text(path.read_text().replace(f'"keras": "{current}"', '"keras": "1.0"'))
    said = []
    load_begun(interrupted).tell_other_versions(said.append)
    assert said == [f"keras is {current}, the run was begun with 1.0: weights may differ"]


def test_a_damaged_beginning_is_refused(interrupted):
    (interrupted.path / "unfinished" / "begun.json").write_text("{")
    with pytest.raises(RunError, match=r"no run that can be gone on with \(begun\.json"):
        resume_classifier(interrupted)


def test_a_run_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(RunError, match=r"cannot write in the run folder .*nosuch"):
        reopen_run(RunFolder(tmp_path / "nosuch")).__enter__()
    with pytest.raises(RunError, match=r"nosuch' is no run that can be gone on with"):
        resume_classifier(RunFolder(tmp_path / "nosuch"))


def test_what_a_kill_left_half_written_is_removed(interrupted):
    leftover = interrupted.path / ".card.json.x1y2.part"
    leftover.write_text("half")
    with reopen_run(interrupted):
        assert not leftover.exists()


def test_a_recipe_that_breaks_down_before_an_epoch_is_done_leaves_nothing(shapes, tmp_path, recipe):
    hopeless = override_recipe(
        recipe, {"layers": "flatten" + ", dense 64" * 15, "learning_rate": 10.0}
    )
    with pytest.raises(RecipeError, match="broke down"):
        train_classifier(open_pictures(str(shapes)), hopeless, tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        pytest.param({"recipe": "cnn"}, "--recipe", id="another recipe"),
        pytest.param({"batch_size": 3}, "--batch-size", id="another batch size"),
        pytest.param({"flip": False}, "--no-flip", id="a switch"),
    ],
)
def test_a_resumed_run_keeps_its_recipe(options, named):
    with pytest.raises(RecipeError, match=f"{named} cannot be given with --resume"):
        train(resume=True, **options)


# Fills the disk, as far as this process may write, when two epochs are done.
FULL_DISK = """
import resource, signal, sys
from contextlib import contextmanager
from edgecls.errors import EdgeclsError
from edgecls.pictures import open_pictures
from edgecls_train.recipe_file import load_recipe
from edgecls_train.training import train_classifier

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

@contextmanager
def fill(title, total):
    def advance(done, note=""):
        if title == "training" and done == 2:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    yield advance

shapes, recipe, runs = sys.argv[1:]
try:
    train_classifier(open_pictures(shapes), load_recipe(recipe), __import__("pathlib").Path(runs),
                     progress=fill, say=print)
except EdgeclsError as wrong:
    print(wrong)
"""


def test_a_full_disk_says_so_and_the_run_goes_on_when_there_is_space(shapes, tmp_path, recipe):
    short = recipe.override(epochs=3)
    (tmp_path / "recipe.toml").write_text(recipe_to_toml(short))
    arguments = [str(shapes), str(tmp_path / "recipe.toml"), str(tmp_path / "full")]
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, *arguments], capture_output=True, text=True, check=True
    )
    kept, problem, hint = done.stdout.splitlines()
    assert kept.endswith(f"edgecls train --resume {tmp_path}/full/1")
    assert "cannot write" in problem
    assert "epoch-000003.npz': File too large" in problem
    assert "free space" in hint
    resumed = resume_classifier(None, tmp_path / "full").run
    whole = train_classifier(open_pictures(str(shapes)), short, tmp_path / "whole").run
    assert weights_of(resumed) == weights_of(whole)
