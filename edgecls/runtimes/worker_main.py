"""The child's side of `worker`: loads a model into an engine, and runs it on request.

Whatever happens here, a crash, a hang, no memory, happens to this process only. Messages are JSON,
one a packet. Before each step that may never return the child says what it is about to do.
"""

from __future__ import annotations

import ctypes
import importlib
import mmap
import os
import resource
import socket
from typing import Any

from edgecls.child.inside import begin, give_up, limit, say

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
    interpreter = engine.Interpreter(
        model_content=_read(job["model"]),
        num_threads=job["threads"],
        experimental_delegates=delegates or None,
    )
    interpreter.allocate_tensors()
    _serve(job, line, interpreter)


def _serve(job: dict[str, Any], line: socket.socket, interpreter: Any) -> None:
    import numpy as np

    image_index = interpreter.get_input_details()[0]["index"]
    scores_index = interpreter.get_output_details()[0]["index"]
    image, scores = interpreter.tensor(image_index), interpreter.tensor(scores_index)
    shared = np.frombuffer(mmap.mmap(job["tensors"], 0), np.uint8)
    split = image().nbytes
    end = split + scores().nbytes
    if end > shared.size:
        raise ValueError(f"its tensors need {end} bytes, the file promises {shared.size}")
    say(line, done="load")
    while line.recv(16):  # empty: the parent is gone
        image().reshape(-1).view(np.uint8)[:] = shared[:split]
        interpreter.invoke()
        shared[split:end] = scores().reshape(-1).view(np.uint8)
        line.send(b"{}")


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
