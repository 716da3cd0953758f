"""A process that collects and says what was acknowledged, made to be killed.

`python -m tests.support.collector FOLDER SEED` keeps, relabels, discards and takes back, at random.
Before each thing it writes a line of JSON to standard output, and another one once it is done.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import sys
from pathlib import Path
from typing import Any

from edgecls.collect.collection import Collection

LABELS = ("cat", "dog", "bird")


def say(**what: Any) -> None:
    """One line, at once."""
    os.write(1, json.dumps(what).encode() + b"\n")


def main() -> None:
    """Collect until killed."""
    chance = random.Random(sys.argv[2])
    collection = Collection(Path(sys.argv[1]), LABELS, min_free_bytes=0)
    while True:
        digest = ""
        kind = chance.choices(("keep", "relabel", "discard", "undo"), (6, 2, 2, 2))[0]
        label = chance.choice(LABELS)
        of = collection.pictures(chance.choice(LABELS))
        some = chance.sample(of, min(len(of), 40))
        names = [picture.name for picture in some]
        say(begun=kind, label=label, names=names)
        if kind == "keep":
            content = chance.randbytes(chance.randrange(1000, 200_000))
            burst = f"{os.getpid()}-{chance.randrange(1 << 30)}"
            names = [collection.keep(label, content, {"time": 0.0}, burst).name]
            digest = hashlib.sha256(content).hexdigest()
        elif kind == "relabel":
            collection.relabel([picture.id for picture in some], label)
        elif kind == "discard":
            collection.discard([picture.id for picture in some])
        else:
            collection.undo()
        there = {name: [p.file_name for p in collection.pictures(name)] for name in LABELS}
        say(done=kind, names=names, there=there, digest=digest)


if __name__ == "__main__":
    main()
