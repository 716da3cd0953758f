"""A real ext4 on a disk whose power can be cut: unflushed writes are lost, in any order.

Two file systems in each other, both on loop devices. The inner one is recorded into; its disk is a
file on the outer one, whose page cache stands for the disk's own volatile cache: what the inner one
flushed has reached the outer one's disk, of the rest anything between all and nothing has. The
power is cut by ext4's shutdown (without flushing the journal), as xfstests do it: from that moment
nothing more reaches the disk.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_SHUTDOWN: Final = 0x8004587D  # EXT4_IOC_SHUTDOWN, _IOR('X', 125, __u32)
_WITHOUT_FLUSHING: Final = struct.pack("I", 2)  # EXT4_GOING_FLAGS_NOLOGFLUSH
_MIB: Final = 1 << 20
_ATTEMPTS: Final = 120


class NoPowerError(Exception):
    """Disks cannot be made here; the text says why."""


class Disk:
    """An ext4 of `size_mib`, mounted at `path`.

    Raises:
        NoPowerError: This machine lets us make no disks.
    """

    def __init__(self, folder: Path, size_mib: int = 48) -> None:
        self.path = folder / "inner"
        self._outer = folder / "outer"
        self._outer_image = folder / "outer.img"
        self._inner_image = self._outer / "inner.img"
        for each in (self.path, self._outer):
            each.mkdir()
        self._closing = contextlib.ExitStack()
        try:
            self._make(self._outer_image, self._outer, size_mib + 24)
            # Written through, so that all its blocks are there: only their content is at stake.
            with self._inner_image.open("wb", buffering=0) as file:
                for _ in range(size_mib):
                    file.write(bytes(_MIB))
                os.fsync(file.fileno())
            self._make(self._inner_image, self.path, 0)
        except BaseException:
            self._closing.close()
            raise

    def cut(self) -> None:
        """Cut the power; at `path` nothing works any more."""
        handle = os.open(self._outer, os.O_RDONLY)
        try:
            fcntl.ioctl(handle, _SHUTDOWN, _WITHOUT_FLUSHING)
        finally:
            os.close(handle)

    def break_down(self) -> None:
        """Let the kernel find an error, upon which it makes the inner one read-only."""
        _run("mount", "-o", "remount,errors=remount-ro", self.path)
        device = os.path.basename(_device_of(self.path))
        Path(f"/sys/fs/ext4/{device}/trigger_fs_error").write_text("1")

    @contextlib.contextmanager
    def restored(self) -> Iterator[Path]:
        """Power again: both file systems are recovered, and the inner one mounted."""
        self._closing.close()  # gives up what is mounted
        with contextlib.ExitStack() as closing:
            _mount(closing, self._outer_image, self._outer)
            _mount(closing, self._inner_image, self.path)
            yield self.path

    def close(self) -> None:
        """Unmount and forget everything."""
        self._closing.close()
        self._outer_image.unlink(missing_ok=True)

    def _make(self, image: Path, at: Path, size_mib: int) -> None:
        if size_mib:
            with image.open("wb") as file:
                file.truncate(size_mib * _MIB)
        _run("mkfs.ext4", "-q", "-F", image)
        _mount(self._closing, image, at)


def _mount(closing: contextlib.ExitStack, image: Path, at: Path) -> None:
    for attempts_left in range(_ATTEMPTS - 1, -1, -1):
        try:
            _run("mount", "-o", "loop", image, at)
            break
        except NoPowerError as wrong:
            # Loop devices are few, and the kernel gives those of before back a little later.
            if not attempts_left or "loop device" not in str(wrong):
                raise
            time.sleep(0.25)
    closing.callback(_unmount, at)


def _device_of(path: Path) -> str:
    with open("/proc/mounts", encoding="utf-8", errors="surrogateescape") as mounts:
        return next(words[0] for line in mounts if (words := line.split())[1] == str(path))


def _unmount(path: Path) -> None:
    """At once, if need be after a moment: a killed process lets go of it a little later."""
    for _ in range(300):
        done = subprocess.run(["umount", path], capture_output=True, text=True, check=False)
        if done.returncode == 0 or not os.path.ismount(path):
            return
        time.sleep(0.1)
    subprocess.run(["umount", "-l", path], check=False)
    raise RuntimeError(f"{path} is still in use after 30 s: {done.stderr.strip()}")


def _run(*command: object) -> None:
    if shutil.which(str(command[0])) is None:
        raise NoPowerError(f"{command[0]} is not installed")
    done = subprocess.run([str(word) for word in command], capture_output=True, check=False)
    if done.returncode:
        reason = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise NoPowerError(reason[-1] if reason else f"{command[0]} failed")
