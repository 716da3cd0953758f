"""What suits a board: a profile of each, chosen by what the kernel says the board is.

Profiles are TOML files, `devices/<board>/profile.toml` in a checkout; an installed package carries
them in `boards/`. They give defaults: what the user says counts more.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final, NamedTuple

from edgecls.contract.files import read_regular_file
from edgecls.errors import EdgeclsError, InvalidValueError
from edgecls.profile.board import Board

GENERIC: Final = "linux"
_BOARDS: Final = Path(__file__).parent / "boards"
_MOST_BYTES: Final = 1 << 16
_SIZE: Final = re.compile(r"(\d{1,5})[xX](\d{1,5})")
_MOST_THREADS: Final = 64


class Profile(NamedTuple):
    """What suits a board, or something that is plugged into one; quick to make, at every start.

    Args:
        key: Its folder's name, such as `raspberry-pi-4b`; the path of a user's own file.
        name: For people.
        detect: Beginnings of what the device tree calls such boards.
        usb: Of something plugged in: `vendor:product`, any of them.
        cores: That it has.
        memory_mb: That it has, at least.
        has_usb3: Whether it has a USB 3 port.
        small_threads: Of one inference.
        large_threads: The same, of models from `large_mb` on.
        source: `auto` (a ribbon camera where there is one, else the first other one), or what
            stands behind `--source`.
        size: (height, width) to ask a V4L2 camera for.
        pixel_format: To ask a V4L2 camera for.
        large_mb: Size of a model file from which on a second thread pays.
        most_mb: Size of the largest model file that makes sense.
        most_input: (height, width) of the largest image that makes sense.
        device: Of its Edge TPU; `none` without one.
        performance: Of its Edge TPU.
        extras: Keys of the profiles that were laid over this one.
    """

    key: str
    name: str
    detect: tuple[str, ...] = ()
    usb: tuple[str, ...] = ()
    cores: int = 1
    memory_mb: int = 0
    has_usb3: bool = True
    small_threads: int = 1
    large_threads: int = 1
    source: str = "auto"
    size: tuple[int, int] = (480, 640)
    pixel_format: str = "auto"
    large_mb: float = 4.0
    most_mb: float = 64.0
    most_input: tuple[int, int] = (640, 640)
    device: str = "none"
    performance: str = "High"
    extras: tuple[str, ...] = ()

    @property
    def is_generic(self) -> bool:
        """Whether nothing is known of the board."""
        return self.key == GENERIC and not self.extras

    @property
    def has_edge_tpu(self) -> bool:
        """Whether there is an Edge TPU to run compiled models on."""
        return self.device != "none"

    def threads_for(self, model_bytes: int, cores: int = _MOST_THREADS) -> int:
        """Threads of one inference of a model file of that size, never more than `cores`."""
        is_large = model_bytes >= self.large_mb * 1e6
        return max(1, min(self.large_threads if is_large else self.small_threads, cores))

    def source_on(self, board: Board) -> str:
        """What to read where the user named no source."""
        if self.source != "auto":
            return self.source
        return "picamera:0" if board.has_ribbon_camera else "0"

    def doubts(self, model_bytes: int, image_size: tuple[int, int] | None = None) -> list[str]:
        """What speaks against a model on this board, in words.

        Args:
            model_bytes: Of its file.
            image_size: (height, width) that it takes; None where that is not known yet.
        """
        found = []
        if model_bytes > self.most_mb * 1e6:
            found.append(
                f"{model_bytes / 1e6:.1f} MB are more than makes sense on a {self.name}"
                f" ({self.most_mb:g} MB): try a smaller network"
            )
        if image_size is not None and max(image_size) > max(self.most_input):
            found.append(
                f"images of {image_size[1]}x{image_size[0]} are larger than makes sense on a"
                f" {self.name} ({self.most_input[1]}x{self.most_input[0]}): train with a smaller"
                " --imgsz"
            )
        return found

    def with_extra(self, extra: Profile) -> Profile:
        """This board with something plugged in, such as a Coral USB stick."""
        return self._replace(
            device=extra.device,
            performance=extra.performance,
            most_input=max(self.most_input, extra.most_input),
            extras=(*self.extras, extra.key),
        )

    def __str__(self) -> str:
        return " with ".join((self.key, *self.extras))

    def to_json(self) -> dict[str, Any]:
        """As `edgecls doctor --json` prints it."""
        return {
            "name": self.key,
            "title": self.name,
            "extras": list(self.extras),
            "threads": {"small": self.small_threads, "large": self.large_threads},
            "camera": {
                "source": self.source,
                "size": f"{self.size[1]}x{self.size[0]}",
                "pixel_format": self.pixel_format,
            },
            "model": {
                "large_mb": self.large_mb,
                "most_mb": self.most_mb,
                "most_input": f"{self.most_input[1]}x{self.most_input[0]}",
            },
            "accelerator": self.device,
        }


def known_profiles() -> list[str]:
    """Names of the built-in profiles."""
    return sorted(path.stem for path in _BOARDS.glob("*.toml"))


def load_profile(name_or_file: str) -> Profile:
    """A built-in profile by its name, or one's own by the path of its `.toml` file.

    Raises:
        InvalidValueError: Neither; or the file is wrong, with the line.
    """
    known = known_profiles()
    if name_or_file in known:
        path = _BOARDS / f"{name_or_file}.toml"
        return parse_profile(path.read_text("utf-8"), path.name, name_or_file)
    path = Path(name_or_file)
    if path.suffix != ".toml":
        raise InvalidValueError(
            f"there is no profile {name_or_file!r}",
            hint=f"known profiles: {', '.join(known)}; or give a .toml file",
        )
    content = read_regular_file(path, _MOST_BYTES, EdgeclsError)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        raise InvalidValueError(
            f"{name_or_file!r} is not UTF-8", hint="save it as UTF-8"
        ) from wrong
    return parse_profile(text, name_or_file, name_or_file)


def find_profile(board: Board) -> Profile:
    """The profile of a board and what is plugged into it; `linux` where it is not known."""
    if not board.model and not board.usb:
        return Profile(
            GENERIC, "Linux", memory_mb=512
        )  # as its file says, unread: a start is quick
    profiles = [load_profile(name) for name in known_profiles()]
    fitting = (each for each in profiles if board.model.startswith(each.detect or ("\0",)))
    found = next(fitting, None) or next(each for each in profiles if each.key == GENERIC)
    for extra in profiles:
        if board.usb.intersection(extra.usb) and not found.has_edge_tpu:
            found = found.with_extra(extra)
    return found


def choose_profile(name_or_file: str | None, board: Board) -> Profile:
    """The user's choice, or what the board is; something that is plugged in is laid over that.

    Raises:
        InvalidValueError: See `load_profile`.
    """
    if name_or_file is None:
        return find_profile(board)
    chosen = load_profile(name_or_file)
    if not chosen.usb:
        return chosen
    return find_profile(board._replace(usb=frozenset())).with_extra(chosen)


def parse_profile(text: str, where: str, key: str) -> Profile:
    """Read a profile from TOML text.

    Args:
        text: The file's content.
        where: The file's name, for messages.
        key: What it will be called.

    Raises:
        InvalidValueError: It names the file and the line.
    """
    from edgecls.contract.toml import place
    from edgecls.profile.reading import read_tables  # TOML, which a PC's start needs not

    tables = read_tables(text, where)
    top, camera = tables[""], tables["camera"]
    if "name" not in top:
        raise InvalidValueError(f"{where} has no 'name'", hint="begin with a copy of a profile")
    values: dict[str, Any] = {
        **top,
        **camera,
        **tables["model"],
        **tables["accelerator"],
        **{f"{name}_threads": count for name, count in tables["threads"].items()},
    }
    for name in ("detect", "usb"):
        values[name] = tuple(values.get(name, ()))
    for table, name in (("camera", "size"), ("model", "most_input")):
        if name in values:
            values[name] = _to_size(values[name], place(where, text, table, name), name)
    profile = Profile(key=key, **values)
    _check_values(profile, text, where)
    return profile


def _to_size(text: str, here: str, name: str) -> tuple[int, int]:
    found = _SIZE.fullmatch(text.strip())
    if found is None or not int(found[1]) or not int(found[2]):
        raise InvalidValueError(f"{here}: {name!r} is {text!r}, wanted WIDTHxHEIGHT: '640x480'")
    return int(found[2]), int(found[1])


def _check_values(profile: Profile, text: str, where: str) -> None:
    """Types are right by now; are the values?"""
    from edgecls.contract.toml import place

    limits: tuple[tuple[str, str, float, float, float], ...] = (
        ("", "cores", profile.cores, 1, _MOST_THREADS),
        ("", "memory_mb", profile.memory_mb, 0, 1 << 22),
        ("threads", "small", profile.small_threads, 1, _MOST_THREADS),
        ("threads", "large", profile.large_threads, 1, _MOST_THREADS),
        ("model", "large_mb", profile.large_mb, 0, 1e6),
        ("model", "most_mb", profile.most_mb, 0, 1e6),
    )
    for table, key, value, least, most in limits:
        if not least <= value <= most:
            here = place(where, text, table, key)
            raise InvalidValueError(f"{here}: {key!r} is {value:g}, wanted {least:g} to {most:g}")
    formats = ("auto", "MJPG", "YUYV")
    if profile.pixel_format not in formats:
        here = place(where, text, "camera", "pixel_format")
        raise InvalidValueError(
            f"{here}: 'pixel_format' is {profile.pixel_format!r}, wanted {', '.join(formats)}"
        )
    devices = r"none|(usb|pci)?:\d{1,3}"
    if not re.fullmatch(devices, profile.device):
        here = place(where, text, "accelerator", "device")
        raise InvalidValueError(f"{here}: 'device' is {profile.device!r}, wanted none or usb:0")
    if profile.performance not in ("Low", "Medium", "High", "Max"):
        here = place(where, text, "accelerator", "performance")
        raise InvalidValueError(
            f"{here}: 'performance' is {profile.performance!r}, wanted Low, Medium, High or Max"
        )
