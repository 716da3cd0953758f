"""`edgecls` as a process: signals, pipes, full disks, and what it imports."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.patience import patience

EDGECLS = (sys.executable, "-m", "edgecls")
LIVE = "fake:colors?fps=100&loop=1"
BUFFERED = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}


def run(*arguments: object, **more: Any) -> subprocess.CompletedProcess[str]:
    settings: dict[str, Any] = {"capture_output": True, "text": True, "timeout": 60, **more}
    return subprocess.run([*EDGECLS, *map(str, arguments)], check=False, **settings)


@contextlib.contextmanager
def camera(model: Path, source: str, *more: str) -> Iterator[subprocess.Popen[str]]:
    """A camera loop that has classified its first frame."""
    command = [*EDGECLS, "camera", "--model", str(model), "--source", source, "--json", *more]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            yield process
        finally:
            process.kill()


def seconds_to_end(process: subprocess.Popen[str]) -> float:
    start = time.monotonic()
    process.wait(60)
    return time.monotonic() - start


class TestSignals:
    @pytest.mark.parametrize(
        ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)], ids=["Ctrl-C", "SIGTERM"]
    )
    def test_the_loop_ends_with_its_summary(self, model: Path, number: int, code: int) -> None:
        with camera(model, LIVE) as process:
            process.send_signal(number)
            out, err = process.communicate(timeout=10)
            assert process.returncode == code
            assert json.loads(out.splitlines()[-1])["event"] == "summary"
            assert err == ""

    @pytest.mark.fault(77)
    def test_sigterm_ends_within_two_seconds(self, model: Path) -> None:
        with camera(model, "fake:colors?fps=0.01") as process:  # the next frame is far away
            process.send_signal(signal.SIGTERM)
            assert seconds_to_end(process) < patience(2.0)

    @pytest.mark.fault(76)
    @pytest.mark.fault(77)
    @pytest.mark.parametrize("source", [LIVE.replace("100", "1000"), "fake:colors?fps=0&loop=1"])
    def test_sigterm_ends_a_loop_whose_reader_has_stopped_reading(
        self, model: Path, source: str
    ) -> None:
        with camera(model, source) as process:
            time.sleep(1.0)  # several pipes full
            process.send_signal(signal.SIGTERM)
            assert seconds_to_end(process) < patience(3.0)
            assert process.returncode == 0

    @pytest.mark.fault(78)
    def test_a_second_ctrl_c_ends_at_once(self, model: Path) -> None:
        with camera(model, "fake:colors?fps=0&loop=1") as process:
            time.sleep(1.0)  # nobody reads, so the first Ctrl-C waits for the pipe
            process.send_signal(signal.SIGINT)
            time.sleep(0.1)
            process.send_signal(signal.SIGINT)
            assert seconds_to_end(process) < patience(0.5)
            # The second where the loop had just ended: a shell shows both as 130.
            assert process.returncode in (130, -signal.SIGINT)

    def test_ctrl_c_in_another_command(self, stranger: Path) -> None:
        command = [*EDGECLS, "evaluate", "--model", str(stranger), "digits"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None
            process.stderr.readline()  # the model is loaded, the digits come next
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=10)
        assert process.returncode == 130
        assert err.splitlines()[-1] == "interrupted"
        assert "Traceback" not in err


class TestOutput:
    @pytest.mark.fault(75)
    @pytest.mark.parametrize("source", [LIVE, "fake:colors?fps=0&loop=1"], ids=["live", "recorded"])
    def test_a_reader_that_has_had_enough_is_no_error(self, model: Path, source: str) -> None:
        with camera(model, source) as process:
            assert process.stdout is not None
            process.stdout.close()
            assert process.wait(10) == 0
            assert process.stderr is not None
            assert process.stderr.read() == ""

    @pytest.mark.fault(75)
    @pytest.mark.parametrize("command", ["classify", "inspect"])
    def test_nor_is_it_in_other_commands(self, model: Path, pictures: Path, command: str) -> None:
        arguments = {"classify": f"--model {model} --json {pictures}", "inspect": str(model)}
        line = f"{sys.executable} -m edgecls {command} {arguments[command]} | true"
        shell = f"set -o pipefail; {line}"
        result = subprocess.run(
            ["bash", "-c", shell], capture_output=True, text=True, check=False, env=BUFFERED
        )
        assert (result.returncode, result.stderr) == (0, "")

    @pytest.mark.parametrize("environment", [BUFFERED, {**BUFFERED, "PYTHONUNBUFFERED": "1"}])
    def test_a_full_disk_is_an_error(self, model: Path, environment: dict[str, str]) -> None:
        with open("/dev/full", "w") as full:
            result = run(
                *("inspect", model),
                stdout=full,
                stderr=subprocess.PIPE,
                capture_output=False,
                env=environment,
            )
        assert result.returncode == 1
        assert result.stderr == (
            "error: the output cannot be written: No space left on device\n"
            "  hint: free some space\n"
        )

    @pytest.mark.parametrize("more", [("--json",), ("--jsonl", "/dev/full")], ids=["out", "file"])
    def test_a_disk_that_is_full_of_events_ends_the_loop(
        self, model: Path, more: tuple[str, ...]
    ) -> None:
        with open("/dev/full" if more == ("--json",) else os.devnull, "w") as out:
            result = run(
                *("camera", "--model", model, "--source", LIVE, *more),
                stdout=out,
                stderr=subprocess.PIPE,
                capture_output=False,
            )
        assert result.returncode == 1
        assert re.fullmatch(
            r"error: cannot write events to .*: \[Errno 28\] No space left on device\n",
            result.stderr,
        )

    @pytest.mark.fault(75)
    def test_closed_output_is_no_crash(self, model: Path) -> None:
        shell = f"{sys.executable} -m edgecls inspect {model} >&-"
        result = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=False)
        assert (result.returncode, result.stderr) == (0, "")

    def test_a_log_that_knows_no_unicode(self, model: Path, pictures: Path) -> None:
        (pictures / "level 2.png").rename(pictures / "żółw 🐢.png")
        result = run(
            *("classify", "--model", model, pictures),
            env={**os.environ, "PYTHONIOENCODING": "ascii"},
        )
        assert result.returncode == 0
        assert r"w \U0001f422.png: level 2" in result.stdout


_IN_A_THREAD = """
    import threading, time
    threading.Thread(target=lambda: 1 / 0).start()
    time.sleep(30)
"""
_IN_A_SINK = """
    import time
    from edgecls.contract.events import SourceEvent
    from edgecls.sinks import QueuedSink
    from edgecls.sinks.fake import FakeSink
    event = SourceEvent("lost", time.time(), "camera", "unplugged")
    QueuedSink(FakeSink(delay_s="a bug"), drops=True).handle(event)
    time.sleep(30)
"""
_IN_A_SERVER = """
    import pathlib, time
    from edgecls.web import Listen, WebApp, WebServer, open_access
    access = open_access(Listen("127.0.0.1", 0), (), None)
    WebServer(WebApp("test", pathlib.Path("/")), access).start().soon(lambda: 1 / 0)
    time.sleep(30)
"""
_IN_A_PAGE = """
    import pathlib, urllib.request
    from edgecls.web import Listen, WebApp, WebServer, open_access
    app = WebApp("test", pathlib.Path("/"))
    app.add("GET", "/broken", lambda _: 1 / 0)
    server = WebServer(app, open_access(Listen("127.0.0.1", 0), (), None)).start()
    urllib.request.urlopen(f"http://127.0.0.1:{server.port}/broken")
"""


class TestFailures:
    def test_a_bad_file_is_one_error_without_a_traceback(self, tmp_path: Path) -> None:
        (tmp_path / "m.tflite").write_bytes(b"")
        result = run("inspect", tmp_path / "m.tflite")
        assert result.returncode == 1
        assert result.stderr.startswith("error: ")
        assert "Traceback" not in result.stderr

    @pytest.fixture
    def buggy(self, tmp_path: Path) -> dict[str, str]:
        """An environment in which `edgecls buggy` is a command with a bug."""
        (tmp_path / "buggy.py").write_text("def run():\n    '''Fail.'''\n    return 1 / 0\n")
        return self.install(tmp_path, "buggy = buggy:run")

    @staticmethod
    def install(folder: Path, entry_point: str) -> dict[str, str]:
        """An environment in which a distribution `edgecls-extra` has a command."""
        info = folder / "edgecls_extra-0.1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: edgecls-extra\nVersion: 0.1\n")
        (info / "entry_points.txt").write_text(f"[edgecls.commands]\n{entry_point}\n")
        return {**os.environ, "PYTHONPATH": str(folder)}

    def test_a_bug_is_told_as_one(self, buggy: dict[str, str]) -> None:
        result = run("buggy", env={**buggy, "EDGECLS_STRICT": ""})
        assert result.returncode == 1
        assert result.stderr == (
            "error: edgecls failed in a way it should not: ZeroDivisionError: division by zero\n"
            "  hint: set EDGECLS_DEBUG=1 to see where, and please report it\n"
        )

    def test_a_bug_can_be_looked_at(self, buggy: dict[str, str]) -> None:
        result = run("buggy", env={**buggy, "EDGECLS_DEBUG": "1"})
        assert "Traceback" in result.stderr
        assert "return 1 / 0" in result.stderr

    @pytest.mark.fault(165)
    @pytest.mark.parametrize(
        "code",
        [
            pytest.param("1 / 0", id="in the command"),
            pytest.param(_IN_A_THREAD, id="in a thread of it"),
            pytest.param(_IN_A_SINK, id="in a sink"),
            pytest.param(_IN_A_SERVER, id="in a page's server"),
            pytest.param(_IN_A_PAGE, id="in a page"),
        ],
    )
    def test_a_bug_is_a_crash_where_that_is_asked_for(self, tmp_path: Path, code: str) -> None:
        (tmp_path / "buggy.py").write_text(f"def run():\n    {code}\n")
        environment = self.install(tmp_path, "buggy = buggy:run")
        result = run("buggy", env={**environment, "EDGECLS_STRICT": "1"})
        assert result.returncode == 70
        assert "Traceback (most recent call last):" in result.stderr
        assert "in a way it should not" not in result.stderr

    @pytest.mark.parametrize(
        ("code", "status", "told"),
        [
            pytest.param("raise KeyboardInterrupt", 130, "interrupted\n", id="Ctrl-C"),
            pytest.param(
                "raise MemoryError",
                2,
                "error: 'edgecls buggy' is installed but cannot be loaded: ",
                id="no memory",
            ),
        ],
    )
    def test_what_happens_while_a_command_is_imported_is_told(
        self, tmp_path: Path, code: str, status: int, told: str
    ) -> None:
        (tmp_path / "buggy.py").write_text(code)
        result = run("buggy", env=self.install(tmp_path, "buggy = buggy:run"))
        assert result.returncode == status
        assert result.stderr.startswith(told)
        assert "Traceback" not in result.stderr

    @pytest.mark.fault(166)
    @pytest.mark.parametrize(
        ("code", "told"),
        [
            ("open('/etc/nothing')", "'/etc/nothing': No such file or directory"),
            ("open('x' * 300)", f"'{'x' * 300}': File name too long"),
            ("open('/')", "'/': Is a directory"),
            ("raise MemoryError", "this machine has too little memory for that"),
            ("raise OSError(24, 'Too many open files')", "Too many open files"),
        ],
        ids=["a file that is gone", "a long name", "a folder", "no memory", "no descriptors"],
    )
    def test_what_the_machine_refuses_is_no_bug(self, tmp_path: Path, code: str, told: str) -> None:
        (tmp_path / "buggy.py").write_text(f"def run():\n    {code}\n")
        result = run("buggy", env=self.install(tmp_path, "buggy = buggy:run"))
        assert result.returncode == 1
        assert re.fullmatch(rf"error: {re.escape(told)}\n  hint: .+\n", result.stderr)

    @pytest.mark.parametrize(
        "entry_point",
        [
            pytest.param("extra = nowhere:run", id="its module is missing"),
            pytest.param("extra = json:nothing", id="its function is missing"),
            pytest.param("extra = torn:run", id="its file is torn"),
        ],
    )
    def test_a_command_that_cannot_be_loaded_leaves_the_others_alone(
        self, tmp_path: Path, model: Path, entry_point: str
    ) -> None:
        (tmp_path / "torn.py").write_text("def run(:")
        environment = self.install(tmp_path, entry_point)
        result = run("extra", "--any", "thing", env=environment)
        assert result.returncode == 2
        assert "error: 'edgecls extra' is installed but cannot be loaded: " in result.stderr
        assert result.stderr.endswith(
            "  hint: pip install --force-reinstall --no-deps edgecls-extra\n"
        )
        assert run("inspect", model, env=environment).returncode == 0


HEAVY = {"cv2", "numpy", "ai_edge_litert", "tensorflow", "keras", "matplotlib", "rich"}


def test_help_imports_nothing_heavy() -> None:
    result = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "edgecls", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {line.rsplit("|", 1)[1].strip() for line in result.stderr.splitlines()}
    assert "edgecls.cli.options" in imported  # of every command; it does not name import_module
    assert {name.split(".")[0] for name in imported} & HEAVY == set()
