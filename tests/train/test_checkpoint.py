"""A training between two epochs, on disk: `edgecls_train.checkpoint`."""

from __future__ import annotations

import dataclasses
import io
import json
import random
import zipfile

import numpy as np
import pytest

from edgecls.errors import EdgeclsError, InvalidValueError, RunError
from edgecls_train.checkpoint import (
    Checkpoint,
    Checkpoints,
    parse_checkpoint,
    read_variables,
    write_variables,
)
from edgecls_train.fit import fit
from edgecls_train.history import Epoch, best_epoch, is_over
from edgecls_train.network import build_network, compile_network
from edgecls_train.recipe import Augmentation, Optimizer, Regularization
from edgecls_train.split import Split
from tests.train.made_data import stripes, stripes_recipe

SPLIT = Split(train=np.arange(0, 40, 2), val=np.arange(1, 40, 4), test=np.arange(3, 40, 4))
# Everything that has a state between two steps: dropout, norms, moments, step count, best weights.
RESTLESS = dataclasses.replace(
    stripes_recipe(),
    epochs=6,
    layers=("conv 4 norm", "pool", "flatten", "dropout 0.5", "dense 8"),
    optimizer=Optimizer("adamw", weight_decay=0.01, schedule="cosine", warmup_epochs=1),
    regularization=Regularization(early_stopping=100),
    augmentation=Augmentation(shift=0.2, cutout=0.2, mixup=0.2),
)


def epoch(number: int, val_loss: float = 1.0) -> Epoch:
    return Epoch(number, 0.1 + 0.2, 0.5, val_loss, 0.5, seconds=1.5)


def checkpoint(epochs: int) -> Checkpoint:
    arrays = (np.arange(6, dtype=np.float32).reshape(2, 3), np.array(epochs, np.int64))
    return Checkpoint(tuple(epoch(n + 1) for n in range(epochs)), arrays, best=arrays[:1])


def files(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_checkpoint_is_read_back_bit_for_bit(tmp_path):
    saved = checkpoint(3)
    Checkpoints(tmp_path).save(saved)
    read = Checkpoints(tmp_path).load()
    assert read.history == saved.history
    for name in ("variables", "best"):
        pairs = zip(getattr(read, name), getattr(saved, name), strict=True)
        assert all(a.dtype == b.dtype and np.array_equal(a, b) for a, b in pairs)


def test_only_the_newest_two_are_kept(tmp_path):
    checkpoints = Checkpoints(tmp_path / "new")
    for epochs in range(1, 12):
        checkpoints.save(checkpoint(epochs))
    assert files(tmp_path / "new") == ["epoch-000010.npz", "epoch-000011.npz"]
    assert len(checkpoints.load().history) == 11


def test_without_a_checkpoint_there_is_none_to_load(tmp_path):
    assert Checkpoints(tmp_path / "absent").load() is None
    assert not Checkpoints(tmp_path / "absent").any_saved


def cut_short(content: bytes) -> bytes:
    return content[: len(content) // 2]


def flip_a_bit(content: bytes) -> bytes:
    place = content.index(np.arange(6, dtype=np.float32).tobytes())
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(cut_short, id="cut short"),
        pytest.param(flip_a_bit, id="with one bit flipped"),
        pytest.param(lambda content: b"", id="empty"),  # noqa: ARG005
    ],
)
def test_a_damaged_newest_checkpoint_is_told_and_the_one_before_it_used(tmp_path, spoil):
    said = []
    checkpoints = Checkpoints(tmp_path, said.append)
    checkpoints.save(checkpoint(1))
    checkpoints.save(checkpoint(2))
    newest = tmp_path / "epoch-000002.npz"
    newest.write_bytes(spoil(newest.read_bytes()))
    assert len(checkpoints.load().history) == 1
    assert said[0] == f"the checkpoint '{newest}' cannot be read, the one before it is used"


@pytest.fixture
def two(tmp_path) -> tuple[Checkpoints, bytes]:
    """The checkpoints of epochs 1 and 2, and the content of the newer."""
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(checkpoint(1))
    checkpoints.save(checkpoint(2))
    return checkpoints, (tmp_path / "epoch-000002.npz").read_bytes()


def epochs_after(checkpoints: Checkpoints, content: bytes) -> int:
    """How many epochs are loaded where this is the newest file."""
    (checkpoints.folder / "epoch-000002.npz").write_bytes(content)
    return len(checkpoints.load().history)


@pytest.mark.fault(155)
@pytest.mark.parametrize("bit", [0, 3, 7])
def test_whatever_bit_of_the_newest_is_flipped_the_one_before_it_serves(two, bit):
    checkpoints, content = two
    served = [
        epochs_after(checkpoints, content[:place] + bytes([byte ^ 1 << bit]) + content[place + 1 :])
        for place, byte in enumerate(content)
    ]
    assert set(served) == {1}


@pytest.mark.fault(155)
def test_wherever_the_newest_is_cut_off_the_one_before_it_serves(two):
    checkpoints, content = two
    assert {epochs_after(checkpoints, content[:end]) for end in range(len(content))} == {1}


def without_sum(epochs: int = 2, **changes) -> bytes:
    """A checkpoint as they were before they carried a sum."""
    history = [dataclasses.asdict(epoch(number + 1)) for number in range(epochs)]
    about = {"format": 1, "history": history, "variables": 0, "best": 0} | changes
    out = io.BytesIO()
    np.savez(out, about=np.array(json.dumps(about)))
    return out.getvalue()


def patched(content: bytes, behind: bytes, offset: int, byte: int) -> bytes:
    place = content.index(behind) + offset
    return content[:place] + bytes([byte]) + content[place + 1 :]


def compressed(content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("about.npy", bytes(1 << 24) + content)
    return out.getvalue()


def claiming(shape: str) -> bytes:
    """An array whose header claims another shape, with sums that fit."""
    out = io.BytesIO()
    np.lib.format.write_array(out, np.zeros(()))
    header = out.getvalue().replace(b"'shape': ()", f"'shape': {shape}".encode())[:200]
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("about.npy", header.replace(b" " * (len(shape) - 2) + b"\n", b"\n"))
    return archive.getvalue()


@pytest.mark.fault(155)
@pytest.mark.parametrize(
    "content",
    [
        pytest.param(patched(without_sum(), b"PK\1\2", 6, 169), id="of a ZIP of version 16.9"),
        pytest.param(patched(without_sum(), b"PK\1\2", 8, 1), id="that says it is encrypted"),
        pytest.param(patched(without_sum(), b"PK\1\2", 10, 99), id="of an unknown compression"),
        pytest.param(patched(without_sum(), b"PK\5\6", 16, 255), id="with a wrong place"),
        pytest.param(compressed(without_sum()), id="that holds more than its size"),
        pytest.param(claiming("(99999999999,)"), id="with an array of 800 GB"),
        pytest.param(without_sum(history=[]), id="without an epoch"),
        pytest.param(without_sum(history=[{"epoch": "x"}]), id="of an odd history"),
        pytest.param(without_sum(history=[dict.fromkeys("abc", 1)]), id="of other fields"),
        pytest.param(without_sum(variables=10**9), id="of a billion variables"),
        pytest.param(without_sum(variables=-5), id="of less than none"),
        pytest.param(without_sum(format=2), id="of this format without its sum"),
        pytest.param(without_sum(deep=json.loads("[" * 900 + "]" * 900)), id="nested deep"),
    ],
)
def test_a_newest_checkpoint_that_nobody_wrote_is_told_and_the_one_before_it_serves(two, content):
    assert epochs_after(two[0], content) == 1


def test_a_checkpoint_from_before_there_were_sums_is_read(two):
    assert epochs_after(two[0], without_sum(2)) == 2


@pytest.mark.fault(155)
def test_no_bytes_at_all_raise_anything_else_than_one_error():
    noise, content = random.Random(5), without_sum()
    for _ in range(2_000):
        spoilt = bytearray(content)
        for _ in range(noise.choice([1, 2, 9])):
            spoilt[noise.randrange(len(spoilt))] = noise.randrange(256)
        try:
            parse_checkpoint(bytes(spoilt))
        except InvalidValueError:
            continue


@pytest.mark.fault(155)
def test_where_none_can_be_read_it_is_said_and_nothing_is_begun_anew(tmp_path):
    checkpoints = Checkpoints(tmp_path / "unfinished")
    fit(stripes(), SPLIT, dataclasses.replace(RESTLESS, epochs=2), checkpoints=checkpoints)
    for path in checkpoints.paths:
        path.write_bytes(b"")
    with pytest.raises(RunError, match=r"none of the checkpoints in (.|\n)*begin again: edgecls"):
        fit(stripes(), SPLIT, RESTLESS, checkpoints=checkpoints)


def test_stages_have_checkpoints_of_their_own(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    first = checkpoints.of_stage("head")
    first.save(checkpoint(3))
    assert checkpoints.load() is None
    assert checkpoints.any_saved
    assert len(first.load().history) == 3


def test_a_checkpoint_that_cannot_be_written_leaves_the_earlier_ones(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(checkpoint(1))
    (tmp_path / "epoch-000002.npz").mkdir()  # in the way of the next
    with pytest.raises(EdgeclsError, match=r"cannot write .*epoch-000002\.npz"):
        checkpoints.save(checkpoint(2))
    assert files(tmp_path) == ["epoch-000001.npz", "epoch-000002.npz"]


def test_variables_of_another_network_are_refused():
    model = build_network(stripes_recipe(), classes=2)
    compile_network(model, stripes_recipe(), steps_per_epoch=3)
    model.optimizer.build(model.trainable_variables)
    variables = read_variables(model)
    with pytest.raises(RunError, match=r"another network than this recipe(.|\n)*from the start"):
        write_variables(model, variables[1:])


class Stop(Exception):
    """In place of a power cut."""


def stop_after(last: int):
    def on_epoch(done: Epoch) -> None:
        if done.epoch == last:
            raise Stop

    return on_epoch


@pytest.mark.parametrize("last", [1, 3, 6])
def test_a_training_that_goes_on_ends_with_the_same_weights_and_history(tmp_path, last):
    whole, whole_history = fit(stripes(), SPLIT, RESTLESS)
    with pytest.raises(Stop):
        fit(stripes(), SPLIT, RESTLESS, stop_after(last), Checkpoints(tmp_path))
    reported = []
    model, history = fit(stripes(), SPLIT, RESTLESS, reported.append, Checkpoints(tmp_path))
    for one, other in zip(model.get_weights(), whole.get_weights(), strict=True):
        assert one.tobytes() == other.tobytes()
    assert [e.epoch for e in reported] == list(range(last + 1, 7))
    without_time = [dataclasses.replace(e, seconds=0.0) for e in history]
    assert without_time == [dataclasses.replace(e, seconds=0.0) for e in whole_history]


def test_the_best_epoch_is_the_first_of_the_lowest_validation_loss():
    history = [epoch(1, 0.9), epoch(2, 0.4), epoch(3, 0.4), epoch(4, 0.5)]
    assert best_epoch(history).epoch == 2


@pytest.mark.parametrize(
    ("losses", "patience", "over"),
    [
        pytest.param([], 0, False, id="nothing is trained yet"),
        pytest.param([0.9, 0.8, 0.7], 0, False, id="epochs are left"),
        pytest.param([0.9, 0.8, 0.7, 0.6, 0.5], 0, True, id="all epochs are done"),
        pytest.param([0.5, 0.6, 0.7], 0, False, id="without patience a rise does not matter"),
        pytest.param([0.5, 0.6, 0.7], 2, True, id="two epochs without a better one"),
        pytest.param([0.5, 0.6, 0.4], 2, False, id="a better one begins the count anew"),
        pytest.param([0.5, 0.5, 0.5], 2, True, id="as good is not better"),
    ],
)
def test_a_training_is_over_after_its_epochs_or_its_patience(losses, patience, over):
    history = [epoch(number, loss) for number, loss in enumerate(losses, start=1)]
    assert is_over(history, epochs=5, patience=patience) is over
