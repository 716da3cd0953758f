"""Which Edge TPU to use and how: the user's choice, checked before anything is opened."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

from edgecls.errors import InvalidValueError

Performance: TypeAlias = Literal["Low", "Medium", "High", "Max"]
OnLoss: TypeAlias = Literal["restart", "cpu", "stop"]

_DEVICE: Final = re.compile(r"(usb|pci)?(?::(\d{1,3}))?")


@dataclass(frozen=True, slots=True)
class Accelerator:
    """A choice of Edge TPU.

    Args:
        device: `usb:0`, `pci:0`, or `:0` for the first of any kind; without a number the first
            of its kind.
        performance: Clock of the Edge TPU. `Max` makes a USB stick hot.
        on_loss: What to do when the device is lost or hangs: `restart` it, go on with the
            uncompiled model on the `cpu`, or `stop`.
    """

    # Options are ignored unless the device carries a number. With one, the library leaves its own
    # default ("High" in the package libedgetpu1-std) for "Max", so that is always sent, too.
    # Source: libedgetpu, edgetpu_manager_direct.cc and the delegate's plugin.
    device: str = ":0"
    performance: Performance = "High"
    on_loss: OnLoss = "restart"

    def __post_init__(self) -> None:
        found = _DEVICE.fullmatch(self.device)
        if found is None or not self.device:
            raise InvalidValueError(
                f"there is no Edge TPU called {self.device!r}",
                hint="usb:0, pci:0, or :0 for the first one; see 'edgecls doctor'",
            )
        object.__setattr__(self, "device", f"{found[1] or ''}:{int(found[2] or 0)}")
        performance = self.performance.capitalize()
        if performance not in get_args(Performance):
            raise InvalidValueError(
                f"there is no performance {self.performance!r}",
                hint=f"known: {', '.join(get_args(Performance))}",
            )
        object.__setattr__(self, "performance", performance)
        if self.on_loss not in get_args(OnLoss):
            raise InvalidValueError(
                f"there is nothing called {self.on_loss!r} to do when an Edge TPU is lost",
                hint=f"known: {', '.join(get_args(OnLoss))}",
            )

    def to_options(self) -> dict[str, str]:
        """As the delegate takes them."""
        return {"device": self.device, "Performance": self.performance}
