"""The child's side of `worker`: loads a model into an engine, and runs it on request.

Whatever happens here, a crash, a hang, no memory, happens to this process only. Messages are JSON,
one a packet. Before each step that may never return the child says what it is about to do.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import mmap
import os
import resource
import signal
import socket
import sys
from typing import Any

_ENGINES = {
    "litert": "ai_edge_litert.interpreter",
    "tflite_runtime": "tflite_runtime.interpreter",
}
# What the child writes to stderr is kept in a file for the parent, and never more than this.
_MOST_STDERR_BYTES = 1 << 20


def main() -> None:
    """Do one job, described by the only argument."""
    job = json.loads(sys.argv[1])
    line = socket.socket(fileno=job["line"])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends the child
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_MOST_STDERR_BYTES, _MOST_STDERR_BYTES))
    if job["memory_bytes"]:
        resource.setrlimit(resource.RLIMIT_AS, (job["memory_bytes"], job["memory_bytes"]))
    try:
        _work(job, line)
    except BaseException as wrong:  # noqa: BLE001  # the parent judges what is wrong
        _say(line, failed=type(wrong).__name__, text=str(wrong))
    # Not through Python's end: libraries of others crash there, after all is done.
    os._exit(0)


def _work(job: dict[str, Any], line: socket.socket) -> None:
    delegates = []
    if job["library"]:
        _start(job, line, "library")
        _say(line, **_describe_library(job["library"]))
    if not job["model"]:
        return
    _start(job, line, "engine")
    engine = importlib.import_module(_ENGINES[job["engine"]])
    if job["library"]:
        _start(job, line, "delegate")
        delegates.append(engine.load_delegate(job["library"], job["options"]))
    _start(job, line, "load")
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
    signal.setitimer(signal.ITIMER_REAL, 0)
    _say(line, done="load")
    while line.recv(16):  # empty: the parent is gone
        # The kernel ends a run that hangs even if the parent is not there to do it.
        signal.setitimer(signal.ITIMER_REAL, job["run_limit_s"] + 1)
        image().reshape(-1).view(np.uint8)[:] = shared[:split]
        interpreter.invoke()
        shared[split:end] = scores().reshape(-1).view(np.uint8)
        signal.setitimer(signal.ITIMER_REAL, 0)
        line.send(b"{}")


def _start(job: dict[str, Any], line: socket.socket, step: str) -> None:
    signal.setitimer(signal.ITIMER_REAL, job["load_limit_s"] + 1)
    _say(line, doing=step)


def _say(line: socket.socket, **message: Any) -> None:
    line.send(json.dumps(message)[:60_000].encode())


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
