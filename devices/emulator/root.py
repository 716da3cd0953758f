"""Makes an emulated Raspberry Pi's system in .emulator, out of Debian packages and wheels.

Run: python devices/emulator/root.py

Nothing foreign is executed and no root rights are needed: .deb files are unpacked, and pip chooses
wheels for 64-bit Arm. This machine's own apt and pip settings say where both come from. What is
there already is kept, and made anew when what it is made of has changed.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

CHECKOUT: Final = Path(__file__).resolve().parents[2]
PLACE: Final = CHECKOUT / ".emulator"
ROOT: Final = PLACE / "root"
SITE: Final = ROOT / "opt/edgecls"  # what `pip install edgecls` brings to a board
TOOLS: Final = ROOT / "opt/tools"  # what tests need beside it

SUITE: Final = "bookworm"
PYTHON: Final = "3.11"
GLIBC: Final = 36  # of SUITE: 2.36
# opencv-python's wheel brings its own Qt, and leaves libGL and glib to the system.
PACKAGES: Final = ("python3-minimal", "libpython3-stdlib", "libstdc++6", "libgl1", "libglib2.0-0")
# Behind libgl1: drivers for graphics cards, 150 MB that no command of ours calls.
_DRIVERS: Final = re.compile(
    r"libgl1-mesa-dri|libglx-mesa0|libllvm|libz3|libdrm|libsensors|libvulkan"
)
TEST_TOOLS: Final = ("pytest", "pluggy", "iniconfig", "packaging", "Pygments", "mlxtend")

# /proc/cpuinfo of each: LiteRT chooses its kernels by it, and dies of one that is not Arm's.
_OLD: Final = "fp asimd evtstrm crc32 cpuid"
_NEW: Final = (
    "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop"
    " asimddp"
)
CPUS: Final = {
    "cortex-a53": ("0xd03", _OLD),
    "cortex-a72": ("0xd08", _OLD),
    "cortex-a76": ("0xd0b", _NEW),
}


class EmulatorError(Exception):
    """The emulated board cannot be made or used; the text says what to do."""


def main() -> None:
    """Make what is missing or out of date."""
    if shutil.which("qemu-aarch64") is None:
        raise EmulatorError(
            "qemu-aarch64 is missing: apt-get install -y --no-install-recommends qemu-user gcc"
        )
    script = Path(__file__)
    packages = fingerprint([script])
    wheels = fingerprint([script, CHECKOUT / "pyproject.toml", CHECKOUT / "constraints.txt"])
    sources = (CHECKOUT / "edgecls").rglob("*")
    product = fingerprint(sorted(p for p in sources if p.is_file() and p.suffix != ".pyc"), wheels)
    make_once("packages", packages, unpack_packages)
    make_once("wheels", wheels, install_wheels)
    make_once("product", product, install_product)
    make_once("boards", packages, write_boards)


def fingerprint(files: Iterable[Path], begin: str = "") -> str:
    """SHA-256 of files, their names and places in the checkout included."""
    found = hashlib.sha256(begin.encode())
    for path in files:
        found.update(f"{path.relative_to(CHECKOUT)}\0{path.stat().st_size}\0".encode())
        found.update(path.read_bytes())
    return found.hexdigest()


def make_once(what: str, key: str, make: Callable[[], None]) -> None:
    """Call `make` unless it was finished for the same key."""
    stamp = PLACE / f"{what}.stamp"
    if stamp.is_file() and stamp.read_text() == key:
        return
    print(f"emulated board: {what}", file=sys.stderr, flush=True)
    stamp.unlink(missing_ok=True)
    make()
    stamp.write_text(key)


def unpack_packages() -> None:
    """Download SUITE's packages for arm64 and unpack them; what was in ROOT goes."""
    for stale in PLACE.glob("*.stamp"):
        stale.unlink()
    shutil.rmtree(ROOT, ignore_errors=True)
    for folder in ("usr/bin", "usr/sbin", "usr/lib", "opt", "etc", "tmp", "proc", "dev", "sys"):
        (ROOT / folder).mkdir(parents=True)
    for folder in ("bin", "sbin", "lib"):
        (ROOT / folder).symlink_to(f"usr/{folder}")
    for archive in download(PACKAGES, PLACE / "apt/archives"):
        unpack(archive, ROOT)


def download(packages: Iterable[str], archives: Path) -> list[Path]:
    """Packages of SUITE for arm64 with all that they depend on, but for drivers, as .deb files."""
    shutil.rmtree(archives, ignore_errors=True)
    archives.mkdir(parents=True)
    apt = _make_apt()
    said = ""
    for _ in range(3):  # a mirror in the middle of its own update fails now and then
        done = subprocess.run([*apt, "update"], capture_output=True, text=True, check=False)
        said = done.stdout + done.stderr
        if done.returncode == 0:
            break
    plan = _call([*apt, "--simulate", "--no-install-recommends", "install", *packages], said)
    names = re.findall(r"^Inst (\S+) ", plan, re.MULTILINE)
    _call([*apt, "download", *(name for name in names if not _DRIVERS.match(name))], cwd=archives)
    return sorted(archives.glob("*.deb"))


def unpack(archive: Path, folder: Path, *members: str) -> None:
    """Unpack a .deb file, or only some folders of it, and run nothing of it."""
    content = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", archive], stdout=subprocess.PIPE)
    keep = ("--keep-directory-symlink", "-C", folder)
    _call(["tar", "-x", *keep, *members], stdin=content.stdout)
    if content.wait():
        raise EmulatorError(f"{archive.name} cannot be unpacked")


def _make_apt() -> list[str | Path]:
    """apt-get for SUITE on arm64, from this machine's own sources, apart from its packages."""
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise EmulatorError(
            "packages come through apt-get and dpkg-deb: use Debian, or a container"
        )
    place = PLACE / "apt"
    sources = place / "sources"
    for folder in (sources, place / "lists/partial", place / "cache/archives/partial"):
        folder.mkdir(parents=True, exist_ok=True)
    (place / "status").touch()
    release = Path("/etc/os-release").read_text()
    own = re.search(r"^VERSION_CODENAME=(\w+)", release, re.MULTILINE)
    if own is None or not re.search(r"^ID=debian$", release, re.MULTILINE):
        raise EmulatorError("packages come from this machine's own sources, which must be Debian's")
    etc = Path("/etc/apt")
    for path in (etc / "sources.list", *sorted((etc / "sources.list.d").glob("*"))):
        if path.suffix in (".list", ".sources") and path.is_file():
            text = re.sub(rf"\b{own[1]}\b", SUITE, path.read_text())
            (sources / path.name).write_text(text)
    options = {
        "APT::Architecture": "arm64",
        "APT::Architectures": "arm64",
        "APT::Sandbox::User": "root",
        "APT::Update::Error-Mode": "any",
        "Dir::State::Lists": place / "lists",
        "Dir::State::status": place / "status",
        "Dir::Cache": place / "cache",
        "Dir::Etc::sourcelist": "/dev/null",
        "Dir::Etc::sourceparts": sources,
    }
    apt: list[str | Path] = ["apt-get", "-q"]
    for name, value in options.items():
        apt += ["-o", f"{name}={value}"]
    return apt


def install_wheels() -> None:
    """`pip install edgecls` for the board: its wheel, and what pip's resolver adds for arm64."""
    for folder in (SITE, TOOLS):
        shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory() as build:
        _pip_install(SITE, "-c", CHECKOUT / "constraints.txt", _build_wheel(Path(build)))
    _pip_install(TOOLS, "--no-deps", "-c", CHECKOUT / "constraints.txt", *TEST_TOOLS)
    _compile(ROOT / "usr/lib" / f"python{PYTHON}", SITE, TOOLS)


def install_product() -> None:
    """Put the checkout's code in the place of what was installed of it."""
    shutil.rmtree(SITE / "edgecls", ignore_errors=True)
    for folder in SITE.glob("edgecls-*.dist-info"):
        shutil.rmtree(folder)
    shutil.rmtree(SITE / "bin", ignore_errors=True)
    with tempfile.TemporaryDirectory() as build:
        _pip_install(SITE, "--no-deps", _build_wheel(Path(build)))
    _compile(SITE / "edgecls")


def _build_wheel(folder: Path) -> Path:
    """A wheel of the checkout, from a copy, so that the build leaves nothing behind."""
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(CHECKOUT / name, source)
    shutil.copytree(
        CHECKOUT / "edgecls", source / "edgecls", ignore=shutil.ignore_patterns("__pycache__")
    )
    _call([*_PIP, "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, source])
    (wheel,) = folder.glob("edgecls-*.whl")
    return wheel


_PIP: Final = (sys.executable, "-m", "pip", "--disable-pip-version-check")


def _pip_install(target: Path, *what: str | Path) -> None:
    tags = [f"manylinux_2_{minor}_aarch64" for minor in range(GLIBC, 16, -1)]
    platforms = [word for tag in (*tags, "manylinux2014_aarch64") for word in ("--platform", tag)]
    python = ("--implementation", "cp", "--python-version", PYTHON)
    settings = ("--quiet", "--no-compile", "--only-binary=:all:", "--target", target)
    _call([*_PIP, "install", *settings, *python, *platforms, *what])


def _compile(*folders: Path) -> None:
    """Bytecode for the board's Python, where this machine's is the same; it only saves time."""
    if sys.version_info[:2] == tuple(map(int, PYTHON.split("."))):
        mode = ("--invalidation-mode", "unchecked-hash")
        words = (sys.executable, "-m", "compileall", "-q", "-j", "0", *mode, *map(str, folders))
        subprocess.run(words, check=False, stdout=subprocess.DEVNULL)


def write_boards() -> None:
    """A view of ROOT for each processor: its /proc/cpuinfo, and a `python3` that can be started."""
    shutil.rmtree(PLACE / "boards", ignore_errors=True)
    for cpu, (part, features) in CPUS.items():
        view = PLACE / "boards" / cpu
        (view / "proc").mkdir(parents=True)
        for name in ("usr", "lib", "bin", "opt", "etc"):
            (view / name).symlink_to(ROOT / name)
        core = (
            f"processor\t: %d\nBogoMIPS\t: 108.00\nFeatures\t: {features}\n"
            "CPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x0\n"
            f"CPU part\t: {part}\nCPU revision\t: 3\n\n"
        )
        (view / "proc/cpuinfo").write_text("".join(core % number for number in range(4)))
        # `sys.executable` there: child processes must start under emulation, too.
        python = view / "python3"
        python.write_text(
            f'#!/bin/sh\nexec "{CHECKOUT}/devices/emulator/user.sh" {cpu} python3 "$@"\n'
        )
        python.chmod(0o755)


def _call(command: Iterable[str | Path], before: str = "", **more: object) -> str:
    words = [os.fspath(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, check=False, **more)  # type: ignore[call-overload]
    if done.returncode:
        said = (before + done.stdout + done.stderr).strip().splitlines()[-8:]
        raise EmulatorError(f"{' '.join(words[:6])} ... failed:\n" + "\n".join(said))
    output: str = done.stdout
    return output


if __name__ == "__main__":
    try:
        main()
    except EmulatorError as wrong:
        sys.exit(f"error: {wrong}")
