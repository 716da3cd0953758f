"""A fresh Debian of this machine's architecture in a folder, and commands that run inside it."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

# In a namespace of its own, so that the mounts are gone with the last process. $1 is the root, $2
# the checkout, $3 folders that are there inside, too; the rest is the command.
_INSIDE: Final = """
root=$1 checkout=$2 folders=$3; shift 3
mkdir -p "$root/checkout"
mount --bind "$checkout" "$root/checkout"
mount -o remount,ro,bind "$root/checkout"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
for folder in $folders; do
  mkdir -p "$root$folder"; mount --bind $folder "$root$folder"
done
exec chroot "$root" "$@"
"""
# How this machine reaches its registries, it reaches them from there, too.
_SETTINGS: Final = (
    *("etc/resolv.conf", "etc/hosts", "etc/pip.conf", "etc/ssl/certs/ca-certificates.crt"),
)
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_COUNTED: Final = ("etc", "opt/edgecls", "usr/local", "var/lib/edgecls", "var/lib/dpkg/status")


@dataclass(frozen=True, slots=True)
class FreshDebian:
    """A system in a folder, with a checkout at /checkout."""

    root: Path
    checkout: Path

    def run(self, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a command inside, as root; `variables` are added to its environment."""
        kept = {name: value for name, value in os.environ.items() if _is_setting(name)}
        environment = {**kept, **variables, "PATH": _PATH, "HOME": "/root", "LC_ALL": "C"}
        words = ["unshare", "--mount", "sh", "-c", _INSIDE, "sh", self.root, self.checkout]
        return subprocess.run(
            [*words, " ".join(_package_folders()), *command],
            capture_output=True,
            text=True,
            check=False,
            env=environment,
        )

    def state(self) -> dict[str, tuple[object, ...]]:
        """Every file that a set-up may touch: mode, owner, group, size, and when it was changed."""
        found = {}
        for name in _COUNTED:
            top = self.root / name
            for path in (top, *top.rglob("*")):
                if "__pycache__" in path.parts or str(path.relative_to(self.root)) in _SETTINGS:
                    continue
                about = path.lstat()
                size_and_time = () if path.is_dir() else (about.st_size, about.st_mtime_ns)
                key = path.relative_to(self.root).as_posix()
                found[key] = (about.st_mode, about.st_uid, about.st_gid, *size_and_time)
        return found


def make_debian(folder: Path, suite: str, checkout: Path) -> FreshDebian:
    """Install the least of a Debian into a folder, from this machine's own mirror.

    Args:
        folder: Where; it is made.
        suite: `bookworm` or `trixie`.
        checkout: For /checkout.
    """
    command = ["debootstrap", "--variant=minbase", "--include=ca-certificates,sudo", suite]
    done = subprocess.run([*command, str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    for name in _SETTINGS:
        if Path("/", name).is_file():
            shutil.copy(Path("/", name), folder / name)
    return FreshDebian(folder, checkout)


@functools.cache
def _package_folders() -> tuple[str, ...]:
    """Folders of this machine that its pip installs from, such as a mirror or a cache of wheels."""
    asked = [sys.executable, "-m", "pip", "config", "list"]
    told = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    links = [line for line in told.splitlines() if "find-links" in line or "index-url" in line]
    found = re.findall(r"(?:file://|(?<=[\s'=]))(/[^\s']+)", " ".join(links))
    # The pages of a folder called so point to files beside it.
    folders = (re.sub(r"/simple/?$", "", folder) for folder in found)
    return tuple(dict.fromkeys(folder for folder in folders if Path(folder).is_dir()))


def _is_setting(name: str) -> bool:
    return name.startswith(("PIP_", "SSL_CERT", "REQUESTS_CA")) or name.lower().endswith("_proxy")
