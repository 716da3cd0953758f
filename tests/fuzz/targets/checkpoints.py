"""Checkpoints of a training: what was accepted is written and read again as the same."""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Sequence
from typing import Final

import numpy as np

from tests.fuzz.mutations import mutate, mutate_json
from tests.fuzz.target import Target


def _seeds() -> list[bytes]:
    import tempfile
    from pathlib import Path

    from edgecls_train.checkpoint import Checkpoint, Checkpoints
    from edgecls_train.history import Epoch

    figures = {name: 0.5 for name in Epoch.__dataclass_fields__ if name != "epoch"}
    history = tuple(Epoch(epoch=number, **figures) for number in (1, 2))
    variables = (np.arange(12, dtype=np.float32).reshape(3, 4), np.array(7), np.zeros((0, 3)))
    contents = []
    with tempfile.TemporaryDirectory() as folder:
        for best in ((), variables):
            checkpoints = Checkpoints(Path(folder, str(len(best))))
            checkpoints.save(Checkpoint(history, variables, best))
            contents.append(checkpoints.paths[-1].read_bytes())
    # As older versions wrote it, and as a stranger may: without the sum, so that damage gets in.
    return [*contents, *(_repacked(content) for content in contents)]


def _repacked(content: bytes, chance: random.Random | None = None) -> bytes:
    """The same members in a ZIP without a sum, with another `about` where there is chance."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w") as new:
        for info in old.infolist():
            member = old.read(info)
            if info.filename == "about.npy":
                member = _about(member, chance)
            elif chance is not None and chance.random() < 0.3:
                member = mutate(chance, member, head=128)
            how = zipfile.ZIP_STORED
            if chance is not None and chance.random() < 0.05:
                how = zipfile.ZIP_DEFLATED
            new.writestr(info.filename, member, how)
    return out.getvalue()


def _about(member: bytes, chance: random.Random | None) -> bytes:
    text = str(np.load(io.BytesIO(member))).replace('"format": 2', '"format": 1')
    if chance is not None and chance.random() < 0.6:
        text = mutate_json(chance, text.encode()).decode("utf-8", "replace").replace("\0", "")
    out = io.BytesIO()
    np.save(out, np.array(text))
    return out.getvalue()


def _mutate(chance: random.Random, seeds: Sequence[bytes]) -> bytes:
    content = chance.choice(seeds)
    if chance.random() < 0.5:
        return mutate(chance, content, seeds, head=chance.choice((0, 200)))
    return _repacked(content, chance)


def read(content: bytes) -> str:
    """Read it as `train --resume` does."""
    from edgecls_train.checkpoint import parse_checkpoint

    found = parse_checkpoint(content)
    if [epoch.epoch for epoch in found.history] != [*range(1, len(found.history) + 1)]:
        raise AssertionError(f"epochs {found.history!r:.200}")
    return "accepted"


TARGET: Final = Target("checkpoints", _seeds, _mutate, read, limit_s=5.0, memory_mb=100)
