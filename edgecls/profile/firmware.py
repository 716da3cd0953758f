"""What a Raspberry Pi's firmware says of voltage and heat, in words."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from edgecls.profile.board import read_text

# Bits of the firmware's answer now; 16 places higher the same since the start.
# Source: Raspberry Pi documentation, vcgencmd get_throttled.
_BITS: Final = {
    0: "the voltage is too low",
    1: "the clock is held down",
    2: "the processor is slowed down",
    3: "it is so hot that the clock is lowered",
}
_SINCE_START: Final = 16
UNDER_VOLTAGE: Final = 1 << 0 | 1 << _SINCE_START
SLOWED_DOWN: Final = 0b1110 | 0b1110 << _SINCE_START


def read_throttled(root: Path, answer: str = "") -> int | None:
    """The bits; None where nothing tells them.

    Args:
        root: Of the file system, which has them, too, on most systems.
        answer: Of `vcgencmd get_throttled`, such as `throttled=0x50005`.
    """
    if found := re.search(r"throttled=(0x[0-9a-fA-F]+)", answer):
        return int(found[1], 16)
    try:
        return int(read_text(root / "sys/devices/platform/soc/soc:firmware/get_throttled"), 16)
    except ValueError:
        return None


def say_throttled(bits: int) -> tuple[list[str], list[str]]:
    """What is the case now, and what was since the start and is not now, in words."""
    now = [text for bit, text in _BITS.items() if bits >> bit & 1]
    past = [
        text
        for bit, text in _BITS.items()
        if bits >> (bit + _SINCE_START) & 1 and not bits >> bit & 1
    ]
    return now, past
