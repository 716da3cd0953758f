"""The child's side of `apart`: decodes whatever picture it finds in the memory that both see."""

from __future__ import annotations

import json
import mmap
import os
import socket
from typing import Any

import numpy as np

from edgecls.child.inside import begin, forget_stderr, give_up, say
from edgecls.imaging.decode import decode_rgb


def main() -> None:
    """Decode pictures until the parent has enough of them."""
    line, job = begin()
    try:
        _serve(line, job)
    except BaseException as wrong:  # noqa: BLE001  # the parent judges what is wrong
        give_up(line, wrong)
    os._exit(0)


def _serve(line: socket.socket, job: dict[str, Any]) -> None:
    picture = mmap.mmap(job["picture"], 0)
    place = np.frombuffer(mmap.mmap(job["frame"], 0), np.uint8)
    while packet := line.recv(100):  # empty: the parent is gone
        frame = decode_rgb(picture[: json.loads(packet)["bytes"]])
        if frame is None:
            say(line, height=0, width=0)
            continue
        place[: frame.size] = frame.reshape(-1)
        say(line, height=frame.shape[0], width=frame.shape[1])
        forget_stderr()


if __name__ == "__main__":
    main()
