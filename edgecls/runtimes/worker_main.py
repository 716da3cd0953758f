"""The child's side of `worker`: loads a model into an engine, and runs it on request.

Whatever happens here, a crash, a hang, no memory, happens to this process only. Messages are JSON,
one a packet. Before each step that may never return the child says what it is about to do.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import importlib
import mmap
import os
import resource
import socket
from collections.abc import Callable, Iterator
from typing import Any

from edgecls.child.inside import begin, give_up, limit, say

_MOST_TEXT = 1_000  # letters of an engine's complaint
_ENGINES = {
    "litert": "ai_edge_litert.interpreter",
    "tflite_runtime": "tflite_runtime.interpreter",
}


def main() -> None:
    """Do one job."""
    line, job = begin()
    if job["memory_bytes"]:
        limit(resource.RLIMIT_AS, job["memory_bytes"])
    try:
        _work(job, line)
    except BaseException as wrong:  # noqa: BLE001  # the parent judges what is wrong
        give_up(line, wrong)
    # Not through Python's end: libraries of others crash there, after all is done.
    os._exit(0)


def _work(job: dict[str, Any], line: socket.socket) -> None:
    delegates = []
    if job["library"]:
        say(line, doing="library")
        say(line, **_describe_library(job["library"]))
    if not job["model"]:
        return
    say(line, doing="engine")
    engine = importlib.import_module(_ENGINES[job["engine"]])
    if job["library"]:
        say(line, doing="delegate")
        delegates.append(engine.load_delegate(job["library"], job["options"]))
    say(line, doing="load")

    def load() -> Any:
        with _naming_lack_of_memory():
            interpreter = engine.Interpreter(
                model_content=_read(job["model"]),
                num_threads=job["threads"],
                experimental_delegates=delegates or None,
            )
            interpreter.allocate_tensors()
        return interpreter

    _serve(job, line, load)


def _serve(job: dict[str, Any], line: socket.socket, load: Callable[[], Any]) -> None:
    import numpy as np

    shared = np.frombuffer(mmap.mmap(job["tensors"], 0), np.uint8)
    split, end = job["split"], job["end"]
    interpreter = load()
    image_index = interpreter.get_input_details()[0]["index"]
    scores_index = interpreter.get_output_details()[0]["index"]
    if (found := interpreter.tensor(image_index)().nbytes) != split:
        raise ValueError(f"its input needs {found} bytes, the file promises {split}")
    say(line, done="load")
    while line.recv(16):  # empty: the parent is gone
        # What a failure has left of the engine nobody knows: another one takes the next image.
        interpreter = interpreter or load()
        try:
            interpreter.tensor(image_index)().reshape(-1).view(np.uint8)[:] = shared[:split]
            with _naming_lack_of_memory():
                interpreter.invoke()
            # Only now: the size of an output may depend on the image.
            scores = interpreter.get_tensor(scores_index)
            if scores.nbytes != end - split:
                promised = end - split
                raise ValueError(f"its output has {scores.nbytes} bytes, wanted {promised}")
            shared[split:end] = scores.reshape(-1).view(np.uint8)
        except (ValueError, RuntimeError, MemoryError) as wrong:
            interpreter = scores = None
            say(line, wrong=type(wrong).__name__, text=str(wrong)[:_MOST_TEXT])
        else:
            line.send(b"{}")


@contextlib.contextmanager
def _naming_lack_of_memory() -> Iterator[None]:
    """Raise MemoryError where the engine failed for that; its own words do not always say so.

    Where the C library refuses memory it sets `errno`, and nothing that succeeds resets it.
    """
    where = getattr(ctypes.CDLL(None), "__errno_location", None)  # not on macOS
    if where is None:
        yield
        return
    where.restype = ctypes.POINTER(ctypes.c_int)
    number = where().contents
    number.value = 0
    try:
        yield
    except (ValueError, RuntimeError) as wrong:
        if number.value == errno.ENOMEM:
            raise MemoryError(str(wrong)) from wrong
        raise


def _read(descriptor: int) -> bytes:
    return os.pread(descriptor, os.fstat(descriptor).st_size, 0)


class _Device(ctypes.Structure):
    """`struct edgetpu_device` of edgetpu_c.h."""

    _fields_ = (("type", ctypes.c_int), ("path", ctypes.c_char_p))


def _describe_library(place: str) -> dict[str, Any]:
    """Version and devices, as the C interface of libedgetpu tells them; empty where it has none."""
    library = ctypes.CDLL(place)
    if not hasattr(library, "edgetpu_version"):
        return {"version": "", "devices": []}
    library.edgetpu_version.restype = ctypes.c_char_p
    library.edgetpu_list_devices.restype = ctypes.POINTER(_Device)
    library.edgetpu_list_devices.argtypes = [ctypes.POINTER(ctypes.c_size_t)]
    library.edgetpu_free_devices.argtypes = [ctypes.POINTER(_Device)]
    count = ctypes.c_size_t()
    devices = library.edgetpu_list_devices(ctypes.byref(count))
    found = [
        [
            "usb" if devices[i].type == 1 else "pci",
            (devices[i].path or b"").decode("ascii", "replace"),
        ]
        for i in range(count.value)
    ]
    if devices:
        library.edgetpu_free_devices(devices)
    return {
        "version": (library.edgetpu_version() or b"").decode("ascii", "replace"),
        "devices": found,
    }


if __name__ == "__main__":
    main()
