"""Where the dynamic linker would find a library, without loading it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

# Source: ld.so(8).
_ALWAYS: Final = ("lib", "usr/lib", "lib64", "usr/lib64", "usr/local/lib")
_MOST_FILES: Final = 256


def find_library(
    place: str, root: Path = Path("/"), environment: Mapping[str, str] = os.environ
) -> Path | None:
    """The file of a library; None where there is none.

    Args:
        place: A path, or a name that is looked for as the linker does.
        root: Of the file system.
        environment: For LD_LIBRARY_PATH.
    """
    if "/" in place:
        return Path(place) if Path(place).exists() else None
    named = filter(None, environment.get("LD_LIBRARY_PATH", "").split(":"))
    folders = (*map(Path, named), *_folders(root))
    return next((folder / place for folder in folders if (folder / place).exists()), None)


def _folders(root: Path) -> Iterator[Path]:
    for name in _ALWAYS:
        yield root / name
        yield from (root / name).glob("*-linux-gnu*")  # Debian's folder of each architecture
    files = [root / "etc/ld.so.conf", *sorted((root / "etc/ld.so.conf.d").glob("*.conf"))]
    for path in files[:_MOST_FILES]:
        try:
            lines = path.read_text("utf-8", "replace").splitlines()
        except OSError:
            continue
        for line in lines:
            if line.strip().startswith("/"):
                yield root / line.strip()[1:]
