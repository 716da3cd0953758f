"""Scenes with the service under a real systemd: killed, hanging, without its camera, a new model.

The unit, its settings file and the command are those that a board gets; only what setup.sh makes on
a board (users, folders, the program's place) is made here by hand.
"""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scenes import LARGE, MODEL, Plug, edgecls, tell, wait_for, write

UNIT = "edgecls-camera.service"
MODELS = Path("/var/lib/edgecls")
EVENTS = MODELS / "state/events.jsonl"
PROGRAM = "/opt/edgecls/venv/bin/edgecls"
WRAPPER = """#!/usr/bin/busybox sh
export PYTHONPATH=/opt/edgecls
exec /usr/bin/python3 -m edgecls "$@"
"""
OPTIONS = 'EDGECLS_OPTIONS="--source 0 --jsonl events.jsonl {more}"\n'
# The emulator is slow enough; what the watchdog does is the same.
QUICK = "[Service]\nWatchdogSec=10\nTimeoutAbortSec=2\n"
SSHD = """HostKey /run/ssh/host
AuthorizedKeysFile /run/ssh/key.pub
PermitRootLogin yes
UsePAM no
"""
SSH = "IdentityFile /run/ssh/key\nStrictHostKeyChecking no\nUserKnownHostsFile /dev/null\n"


def call(*words: str) -> str:
    """What a program of the system says."""
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.stdout.strip() or done.stderr.strip()


def show(what: str) -> str:
    """A property of the service."""
    return call("systemctl", "show", f"--property={what}", "--value", UNIT)


def set_up() -> None:
    """What setup.sh does on a board."""
    MODELS.mkdir(parents=True)
    for path, text in ((PROGRAM, WRAPPER), ("/etc/edgecls/camera.env", OPTIONS.format(more=""))):
        Path(path).parent.mkdir(parents=True)
        write(path, text)
    Path(PROGRAM).chmod(0o755)
    (MODELS / "model.tflite").write_bytes(Path(MODEL).read_bytes())
    units = Path("/run/systemd/system")
    (units / f"{UNIT}.d").mkdir(parents=True)
    write(f"{units}/{UNIT}", Path(UNIT).read_text())
    write(f"{units}/{UNIT}.d/quick.conf", QUICK)
    call("systemctl", "daemon-reload")


def count_predictions() -> int:
    """Of all runs of the service."""
    return EVENTS.read_text().count('"prediction"') if EVENTS.exists() else 0


def go_through(scene: str, harm: Callable[[], Any], cure: Callable[[], Any] | None = None) -> None:
    """Harm the service, cure what it cannot cure itself, and tell how long it was gone."""
    restarts, status = int(show("NRestarts")), ""
    harmed_s = time.monotonic()
    harm()
    if cure is not None:
        status = wait_for(lambda: "no picture" in (said := show("StatusText")) and said)
        tell(f"{scene}, noticed", after_s=round(time.monotonic() - harmed_s, 1))
        cure()
        harmed_s = time.monotonic()
    seen = count_predictions()
    classifies = bool(wait_for(lambda: count_predictions() >= seen + 3))
    seconds = round(time.monotonic() - harmed_s, 1)
    healthy = wait_for(lambda: "frames a second" in (said := show("StatusText")) and said, 10)
    tell(
        scene,
        status=status,
        classifies=classifies,
        back_after_s=seconds,
        restarts=int(show("NRestarts")) - restarts,
        state=show("ActiveState"),
        status_after=healthy,
    )


def stop_process() -> None:
    """Let the main process hang, and wait until systemd has had enough of it."""
    restarts = show("NRestarts")
    call("systemctl", "kill", "--signal=STOP", "--kill-who=main", UNIT)
    wait_for(lambda: show("NRestarts") != restarts)


def start_without_camera() -> None:
    """And leave it alone for a while."""
    call("systemctl", "stop", UNIT)
    plug.pull()
    began_s = time.monotonic()
    subprocess.Popen(["systemctl", "start", UNIT])
    time.sleep(30)
    tell(
        "away",
        state=show("ActiveState"),
        status=show("StatusText"),
        restarts=int(show("NRestarts")),
        seconds=round(time.monotonic() - began_s),
    )


def deploy(scene: str, more: str) -> None:
    """Bring another model through ssh, with these options of the service."""
    write("/etc/edgecls/camera.env", OPTIONS.format(more=more))
    began_s = time.monotonic()
    done = edgecls("deploy", "root@127.0.0.1", "--model", "tiny.tflite", "--service", "--json")
    seconds, seen = round(time.monotonic() - began_s, 1), count_predictions()
    tell(
        scene,
        code=done.returncode,
        said=done.stderr.splitlines(),
        report=done.stdout,
        seconds=seconds,
        names=sorted(path.name for path in MODELS.glob("model*")),
        is_old=(MODELS / "model.tflite").read_bytes() == Path(MODEL).read_bytes(),
        classifies=bool(wait_for(lambda: count_predictions() >= seen + 3)),
        state=show("ActiveState"),
    )


def listen() -> subprocess.Popen[bytes]:
    """The board's ssh."""
    for folder in ("/run/ssh", "/run/sshd"):
        Path(folder).mkdir()
    for name in ("host", "key"):
        call("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"/run/ssh/{name}")
    write("/run/ssh/config", SSHD)
    write("/etc/ssh/ssh_config", SSH)
    return subprocess.Popen(["/usr/sbin/sshd", "-D", "-e", "-f", "/run/ssh/config"])


plug = Plug()
plug.push_in(LARGE)
set_up()
began_s = time.monotonic()
said = call("systemctl", "start", UNIT)
tell(
    "start",
    state=show("ActiveState"),
    seconds=round(time.monotonic() - began_s, 1),
    status=show("StatusText"),
    memory_mb=round(int(show("MemoryCurrent") or 0) / 1e6),
    said=said,
    journal=call("journalctl", "-u", UNIT, "-o", "cat", "-n", "30", "--no-pager").splitlines(),
    security=call("systemd-analyze", "security", UNIT, "--no-pager").splitlines()[-1:],
)
go_through("kill", lambda: call("systemctl", "kill", "--signal=KILL", "--kill-who=main", UNIT))
go_through("unplug", plug.pull, lambda: plug.push_in(LARGE))
go_through("hang", lambda: plug.signal(signal.SIGUSR1), lambda: plug.signal(signal.SIGUSR2))
go_through("stop", stop_process)
start_without_camera()
go_through("boot without a camera", lambda: None, lambda: plug.push_in(LARGE))
sshd = listen()
deploy("refused", "--allow 3")
deploy("deployed", "")
call("systemctl", "stop", UNIT)
tell("end", state=show("ActiveState"), result=show("Result"))
sshd.kill()
plug.pull()
