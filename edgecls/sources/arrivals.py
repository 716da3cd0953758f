"""Whether packets arrive at this process, whoever reads them: the kernel counts their bytes."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import struct
from collections.abc import Iterator
from typing import Final

# For a camera that answers but has no packet yet, as much as plain OpenCV gives it: an encoder that
# looks 40 frames ahead needs 5 s to begin.
FIRST_PATIENCE_S: Final = 30.0
# tcpi_bytes_received of struct tcp_info (linux/tcp.h), since Linux 4.1.
_RECEIVED: Final = struct.Struct("=128xQ")
# The smallest that says something: the header of an RTP packet. Whoever sends a byte now and then
# says nothing.
_LEAST_BYTES: Final = 12


class Arrivals:
    """Looks now and then at what the sockets of this process have received."""

    def __init__(self) -> None:
        self._before: dict[int, int] = {}

    def look(self) -> tuple[bool, bool]:
        """Whether something has come since the last look, and whether that cannot be known.

        Of a socket without a connection (UDP) the kernel does not tell what it received.
        """
        counts = {}
        is_blind = False
        for inode, ours in _sockets():
            with ours:
                if ours.type == socket.SOCK_DGRAM:
                    is_blind = True
                    continue
                with contextlib.suppress(OSError, struct.error):  # a kernel that is too old
                    told = ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _RECEIVED.size)
                    counts[inode] = _RECEIVED.unpack(told)[0]
        before, self._before = self._before, counts
        grown = sum(max(0, count - before.get(inode, 0)) for inode, count in counts.items())
        return grown >= _LEAST_BYTES, is_blind

    def hang_up(self) -> None:
        """End every TCP connection of this process, so that whoever reads one is told at once."""
        for _, ours in _sockets():
            with ours, contextlib.suppress(OSError):
                if ours.type == socket.SOCK_STREAM:
                    ours.shutdown(socket.SHUT_RDWR)


def _sockets() -> Iterator[tuple[int, socket.socket]]:
    """Each socket of the network in this process, as a copy to be closed, by its inode."""
    try:
        names = os.listdir("/proc/self/fd")
    except OSError:
        return
    for name in names:
        try:
            about = os.fstat(int(name))
            if not stat.S_ISSOCK(about.st_mode):
                continue
            ours = socket.socket(fileno=os.dup(int(name)))
        except OSError:  # closed meanwhile
            continue
        if ours.family in (socket.AF_INET, socket.AF_INET6):
            yield about.st_ino, ours
        else:
            ours.close()
