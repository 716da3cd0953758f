"""A whole emulated Raspberry Pi 4: Debian's kernel with a camera, and the system of root.py on it.

Two cameras: `vivid`, the kernel's own test camera (plain pixels), and `usb`, a webcam in software
that can be plugged in and pulled (MJPEG, through the drivers of real ones). The system is shared
with the machine read-only; what it writes is gone when it ends.
"""

from __future__ import annotations

import re
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Literal

from devices.emulator.root import (
    CHECKOUT,
    PLACE,
    ROOT,
    EmulatorError,
    download,
    fingerprint,
    make_once,
    unpack,
)

Camera = Literal["vivid", "usb"]
Init = Literal["plain", "systemd"]
MACHINE: Final = PLACE / "machine"
SHARED: Final = ROOT / "opt/machine"  # /opt/machine there
PACKAGES: Final = (
    *("busybox-static", "v4l-utils", "systemd", "systemd-sysv", "dbus", "udev"),
    "openssh-server",
)
KERNEL: Final = "linux-image-arm64"
_ALWAYS: Final = ("virtio_pci", "9pnet_virtio", "9p", "overlay")
_MODULES: Final[dict[Camera, tuple[str, ...]]] = {
    "vivid": ("vivid",),
    "usb": ("vhci_hcd", "uvcvideo"),
}
_OPTIONS: Final = {"vivid": "n_devs=1 node_types=0x1 num_inputs=1 input_types=0"}
_CONSOLE: Final = (
    "console=ttyAMA0 panic=-1 quiet mitigations=off systemd.show_status=0 edgecls.init="
)
_QEMU: Final = "qemu-system-aarch64"
_INIT: Final = """#!/bin/busybox sh
B=/bin/busybox
$B mount -t devtmpfs dev /dev; $B mount -t proc proc /proc; $B mount -t sysfs sys /sys
while read module options; do $B insmod /modules/$module.ko $options; done < /modules/order
$B mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=loose,ro root /lower
$B mount -t tmpfs upper /upper; $B mkdir -p /upper/changes /upper/work
$B mount -t overlay -o lowerdir=/lower,upperdir=/upper/changes,workdir=/upper/work all /all
case $($B cat /proc/cmdline) in *init=systemd*) set -- /lib/systemd/systemd;;
  *) set -- /usr/bin/busybox sh /opt/machine/start;; esac
for folder in dev proc sys; do $B mount --move /$folder /all/$folder; done
exec $B switch_root /all "$@"
"""
_UNIT: Final = """[Unit]
After=basic.target
[Service]
Type=oneshot
StandardOutput=tty
StandardError=tty
TTYPath=/dev/console
TimeoutStartSec=infinity
ExecStart=/usr/bin/busybox sh /opt/machine/start
"""
# What packages write when they are installed, which these were not.
_USERS: Final = (
    "root:x:0:0:root:/root:/bin/sh\nmessagebus:x:100:100::/:/bin/false\n"
    "sshd:x:101:65534::/run/sshd:/bin/false\nedgecls:x:990:990::/var/lib/edgecls:/bin/false\n"
)
_GROUPS: Final = (
    "root:x:0:\ntty:x:5:\ndisk:x:6:\nlp:x:7:\nkmem:x:15:\ndialout:x:20:\ncdrom:x:24:\ntape:x:26:\n"
    "audio:x:29:\nvideo:x:44:\nplugdev:x:46:\nmessagebus:x:100:\ninput:x:101:\nsgx:x:102:\n"
    "kvm:x:103:\nrender:x:104:\nsystemd-journal:x:105:\nedgecls:x:990:\nnogroup:x:65534:\n"
)
_MASKED: Final = (
    *("getty.target", "serial-getty@ttyAMA0.service"),
    *("systemd-networkd.service", "systemd-timesyncd.service", "systemd-logind.service"),
    "ssh.service",
)
_START: Final = """busybox=/usr/bin/busybox
export PATH=/usr/bin HOME=/tmp PYTHONPATH=/opt/edgecls LC_ALL=C.UTF-8
[ -d /run/systemd ] || { $busybox mount -t tmpfs run /run; $busybox mount -t tmpfs tmp /tmp; }
cd /opt/machine; python3 PROGRAM; $busybox echo "ended with $?"; $busybox poweroff -f
"""


def make_machine() -> None:
    """Make what is missing: more packages in the system, a kernel, an initial file system."""
    if shutil.which(_QEMU) is None:
        raise EmulatorError(
            f"{_QEMU} is missing: apt-get install -y --no-install-recommends qemu-system-arm"
        )
    packages = (PLACE / "packages.stamp").read_text()
    key = fingerprint([Path(__file__), CHECKOUT / "devices/emulator/root.py"], packages)
    make_once("machine", key, _make)


def run_machine(
    camera: Camera, program: Path, *files: Path, init: Init = "plain", limit_s: float = 300
) -> str:
    """Boot, run a Python program with `files` beside it, and give what the console showed.

    Args:
        camera: What is plugged in.
        program: Runs as root; under systemd when that has started everything else.
        files: For /opt/machine, where the program is too.
        init: What starts it: nothing else, or a whole systemd.
        limit_s: After this the machine is switched off.

    Raises:
        EmulatorError: The program failed, or was not done in time.
    """
    shutil.rmtree(SHARED, ignore_errors=True)
    SHARED.mkdir(parents=True)
    for path in (program, *files):
        shutil.copy(path, SHARED)
    (SHARED / "start").write_text(_START.replace("PROGRAM", program.name))
    command: list[str | Path] = [
        *(_QEMU, "-M", "virt,gic-version=3", "-cpu", "cortex-a72", "-smp", "2", "-m", "1G"),
        *("-accel", "tcg,thread=multi", "-display", "none", "-serial", "stdio", "-nic", "none"),
        *("-no-reboot", "-kernel", MACHINE / "vmlinuz", "-initrd", MACHINE / f"{camera}.cpio"),
        *("-append", _CONSOLE + init),
        "-virtfs",
        f"local,path={ROOT},mount_tag=root,security_model=none,readonly=on",
    ]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=limit_s
        )
        console, complaint = done.stdout, done.stderr
    except subprocess.TimeoutExpired as late:
        console, complaint = late.stdout or b"", b"not done in time"
    shown = console.decode("utf-8", "replace").replace("\r", "")
    if "ended with 0\n" not in shown:
        raise EmulatorError(f"the machine failed: {complaint.decode()}\n{shown[-12000:]}")
    return shown


def _make() -> None:
    shutil.rmtree(MACHINE, ignore_errors=True)
    for archive in download(PACKAGES, MACHINE / "archives"):
        unpack(archive, ROOT)
    _settle_systemd()
    kernel = MACHINE / "kernel"
    kernel.mkdir()
    archives = download([KERNEL], MACHINE / "archives")
    (image,) = (path for path in archives if re.match(r"linux-image-[0-9]", path.name))
    unpack(image, kernel, "./boot", "./lib/modules")
    (vmlinuz,) = kernel.glob("boot/vmlinuz-*")
    shutil.move(vmlinuz, MACHINE / "vmlinuz")
    modules = {path.name[:-3].replace("-", "_"): path for path in kernel.rglob("*.ko")}
    for camera, names in _MODULES.items():
        _write_start(MACHINE / f"{camera}.cpio", modules, (*_ALWAYS, *names))
    for folder in (kernel, MACHINE / "archives"):
        shutil.rmtree(folder)


def _settle_systemd() -> None:
    units = ROOT / "etc/systemd/system"
    wanted = units / "multi-user.target.wants"
    wanted.mkdir(parents=True, exist_ok=True)
    for name, text in (("passwd", _USERS), ("group", _GROUPS), ("machine-id", ""), ("fstab", "")):
        (ROOT / "etc" / name).write_text(text)
    links = {units / name: Path("/dev/null") for name in _MASKED}
    links[units / "default.target"] = Path("/lib/systemd/system/multi-user.target")
    links[wanted / "scenes.service"] = Path("../scenes.service")
    links[ROOT / "usr/bin/sh"] = Path("busybox")
    for link, target in links.items():
        link.unlink(missing_ok=True)
        link.symlink_to(target)
    (units / "scenes.service").write_text(_UNIT)


def _write_start(out: Path, modules: dict[str, Path], wanted: Iterable[str]) -> None:
    """The initial file system: busybox, the kernel's modules, and a script that goes on to ROOT."""
    order: list[str] = []
    for name in wanted:
        _add_with_needs(name, modules, order)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for name in ("bin", "dev", "proc", "sys", "lower", "upper", "all", "modules"):
            (folder / name).mkdir()
        shutil.copy(ROOT / "usr/bin/busybox", folder / "bin/busybox")
        for name in order:
            shutil.copy(modules[name], folder / f"modules/{name}.ko")
        lines = (f"{name} {_OPTIONS.get(name, '')}\n" for name in order)
        (folder / "modules/order").write_text("".join(lines))
        (folder / "init").write_text(_INIT)
        (folder / "init").chmod(0o755)
        out.write_bytes(_to_cpio(folder))


def _add_with_needs(name: str, modules: dict[str, Path], order: list[str]) -> None:
    """Put a module behind those that it needs; what is not there is built into the kernel."""
    if name in order or name not in modules:
        return
    depends = re.search(rb"\0depends=([^\0]*)\0", modules[name].read_bytes())
    for need in depends[1].decode().split(",") if depends else ():
        _add_with_needs(need.replace("-", "_"), modules, order)
    order.append(name)


def _to_cpio(folder: Path) -> bytes:
    """A folder in the form that the kernel unpacks (cpio, `newc`)."""
    parts: list[bytes] = []

    def add(name: str, mode: int, content: bytes = b"") -> None:
        encoded = name.encode() + b"\0"
        fields = (len(parts) + 1, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(encoded), 0)
        head = b"070701" + b"".join(b"%08x" % field for field in fields) + encoded
        for part in (head, content):
            parts.append(part + bytes(-len(part) % 4))

    for path in sorted(folder.rglob("*")):
        mode = path.stat().st_mode
        content = path.read_bytes() if stat.S_ISREG(mode) else b""
        add(path.relative_to(folder).as_posix(), mode, content)
    add("TRAILER!!!", 0)
    return b"".join(parts)


if __name__ == "__main__":
    try:
        make_machine()
    except EmulatorError as wrong:
        sys.exit(f"error: {wrong}")
