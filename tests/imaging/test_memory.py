"""What frames have taken goes back to the system when they are gone."""

from __future__ import annotations

import subprocess
import sys

import pytest

# As in a loop: a thread makes frames of 900 kB and small things that stay, and another one frees
# the frames late. Before, something large has been freed, as the file of a model is.
_BURST = """
import threading, time
import numpy as np
from edgecls.contract.events import SourceEvent
from edgecls.imaging.captured import CapturedFrame
from edgecls.imaging.memory import expect_frames_of
from edgecls.sinks import QueuedSink
from edgecls.sinks.fake import FakeSink

def anonymous_kb():
    with open("/proc/self/smaps_rollup") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Anonymous"))

def play(count):
    for number in range(count):
        frame = CapturedFrame(np.ones((480, 640, 3), np.uint8), number, 0.0)
        kept.append(bytes(3000))
        queued.handle(SourceEvent("lost", 0.0, "camera", ""), frame)
        time.sleep(pause_s)

kept = []
np.ones(20 << 20, np.uint8)
expect_frames_of(640 * 480 * 3)
sink = FakeSink(wants_frames=True)
sink.handle = lambda event, frame=None: time.sleep(delay_s)
queued = QueuedSink(sink, drops=True)
sizes = []
for delay_s, pause_s, count in ((0.0, 0.002, 100), (0.02, 0.0, 35), (0.0, 0.002, 100)):
    maker = threading.Thread(target=play, args=(count,))
    maker.start()
    maker.join()
    queued.settle(30.0)
    time.sleep(0.2)
    sizes.append(anonymous_kb())
print(sizes[2] - sizes[0])
"""


@pytest.mark.fault(167)
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells its memory")
def test_a_burst_of_frames_that_waited_leaves_no_memory_behind() -> None:
    result = subprocess.run(
        [sys.executable, "-c", _BURST], capture_output=True, text=True, check=True
    )
    assert int(result.stdout) < 3_000  # kB: of 32,000 that waited, room for three frames
