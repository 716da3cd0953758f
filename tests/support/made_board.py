"""Boards made of files: /proc, /sys, /dev and /etc as kernels and systems write them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


def write(path: Path, text: str) -> Path:
    """A file, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@dataclass(frozen=True, slots=True)
class MadeBoard:
    """A root of a file system, to be furnished."""

    root: Path

    def device_tree(self, model: str) -> None:
        """What the board is called; the kernel ends it with a NUL."""
        write(self.root / "proc/device-tree/model", f"{model}\0")

    def release(self, codename: str, number: int) -> None:
        """/etc/os-release."""
        text = f'PRETTY_NAME="Debian GNU/Linux {number}"\nVERSION_ID="{number}"\n'
        write(self.root / "etc/os-release", f"{text}VERSION_CODENAME={codename}\n")

    def memory(self, total_kb: int, available_kb: int) -> None:
        """/proc/meminfo."""
        text = f"MemTotal:      {total_kb} kB\nMemFree:  1 kB\nMemAvailable:  {available_kb} kB\n"
        write(self.root / "proc/meminfo", text)

    def cores(self, count: int) -> None:
        """/proc/cpuinfo, as 64-bit Arm has it."""
        text = "".join(f"processor\t: {number}\nBogoMIPS\t: 108.00\n\n" for number in range(count))
        write(self.root / "proc/cpuinfo", text)

    def video(self, number: int, name: str, index: int = 0) -> Path:
        """A video device and its node, which is a plain file here."""
        folder = self.root / f"sys/class/video4linux/video{number}"
        write(folder / "name", f"{name}\n")
        write(folder / "index", f"{index}\n")
        return write(self.root / f"dev/video{number}", "")

    def usb(self, place: str, vendor: str, product: str, speed: str) -> None:
        """Something on USB."""
        folder = self.root / "sys/bus/usb/devices" / place
        for name, text in (("idVendor", vendor), ("idProduct", product), ("speed", speed)):
            write(folder / name, f"{text}\n")

    def program(self, number: int, name: str, opened: str, words: Sequence[str] = ()) -> None:
        """A running program that has a device open; `words` are its command line."""
        folder = self.root / f"proc/{number}"
        write(folder / "comm", f"{name}\n")
        write(folder / "cmdline", "".join(f"{word}\0" for word in words or (name,)))
        (folder / "fd").mkdir()
        (folder / "fd/5").symlink_to(opened)

    def groups(self, *lines: str) -> None:
        """/etc/group."""
        write(self.root / "etc/group", "".join(f"{line}\n" for line in lines))
