"""The token in its file, and the passes that are derived from it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from edgecls.errors import EdgeclsError, InvalidValueError
from edgecls.web.token import Token, default_path, load_token
from tests.support.disks import full_disk
from tests.support.other_user import UID, shared_place

__all__ = ["full_disk", "shared_place"]

NOON: Final = 1_793_880_000.0  # 2026-11-05 12:00:00 UTC
MONTH_S: Final = 30 * 86_400
SECRET: Final = "s" * 43


def token() -> Token:
    return Token(SECRET, Path("token"))


class TestPass:
    def test_it_holds_for_a_month(self) -> None:
        given = token().make_pass(NOON)
        assert token().takes_pass(given, NOON + MONTH_S - 1)
        assert not token().takes_pass(given, NOON + MONTH_S)

    def test_another_token_ends_it(self) -> None:
        assert not Token("t" * 43, Path("token")).takes_pass(token().make_pass())

    def test_nobody_makes_it_hold_longer(self) -> None:
        until, _, signature = token().make_pass(NOON).partition(".")
        assert not token().takes_pass(f"{int(until) + 1}.{signature}", NOON)

    def test_it_does_not_tell_the_token(self) -> None:
        assert SECRET not in token().make_pass()


class TestTokenFile:
    def test_it_is_made_once_for_its_owner_alone(self, tmp_path: Path) -> None:
        path = tmp_path / "new" / "token"
        made = load_token(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        secret = path.read_text().strip()
        assert len(secret) == 43  # 32 bytes, 6 bits a letter
        assert made.fits(secret)
        assert load_token(path).fits(secret)

    def test_two_machines_have_two(self, tmp_path: Path) -> None:
        load_token(tmp_path / "a")
        load_token(tmp_path / "b")
        assert (tmp_path / "a").read_text() != (tmp_path / "b").read_text()

    def test_one_that_others_may_read_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "token"
        path.write_text(SECRET)
        path.chmod(0o644)
        with pytest.raises(EdgeclsError, match=r"others may read .* \(its mode is 644\)") as told:
            load_token(path)
        assert "chmod 600" in told.value.hint

    def test_but_not_one_that_systemd_keeps(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "token"
        path.write_text(SECRET)
        path.chmod(0o440)
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
        assert load_token(path).fits(SECRET)

    @pytest.mark.parametrize(
        "content",
        [
            pytest.param("short", id="too short"),
            pytest.param("\0" * 43, id="zeros, as a power cut leaves them"),
            pytest.param("a b" * 20, id="with spaces"),
            pytest.param("s" * 2000, id="too long"),
        ],
    )
    def test_one_that_is_none_is_refused(self, tmp_path: Path, content: str) -> None:
        path = tmp_path / "token"
        path.write_text(content)
        path.chmod(0o600)
        with pytest.raises(InvalidValueError, match="is not 32 to 512 visible"):
            load_token(path)

    @pytest.mark.fault(120)
    def test_an_empty_one_is_none_and_is_made_anew(self, tmp_path: Path) -> None:
        path = tmp_path / "token"
        path.touch(0o600)
        made = load_token(path)
        assert made.fits(path.read_text().strip())
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert os.listdir(tmp_path) == ["token"]

    @pytest.mark.fault(120)
    def test_a_full_disk_is_told_and_leaves_nothing(self, full_disk: Path) -> None:
        path = full_disk / "token"
        for _ in range(2):
            with pytest.raises(EdgeclsError, match=r"no token can be kept .*: No space left"):
                load_token(path)
        assert os.listdir(full_disk) == ["fill"]
        (full_disk / "fill").unlink()
        assert load_token(path).fits(path.read_text().strip())

    @pytest.mark.fault(120)
    def test_one_of_another_user_is_refused(self, shared_place: Path) -> None:
        path = shared_place / "token"
        path.write_text(SECRET)
        path.chmod(0o600)
        os.chown(path, UID, UID)
        with pytest.raises(EdgeclsError, match="belongs to another user") as told:
            load_token(path)
        assert "--token-file" in told.value.hint

    @pytest.mark.fault(120)
    def test_a_link_that_leads_nowhere_is_not_written_through(self, tmp_path: Path) -> None:
        path = tmp_path / "token"
        path.symlink_to(tmp_path / "elsewhere")
        with pytest.raises(EdgeclsError, match="is a link that leads nowhere") as told:
            load_token(path)
        assert told.value.hint.endswith(f"rm {path}")
        assert os.listdir(tmp_path) == ["token"]

    def test_a_folder_of_its_name_is_none(self, tmp_path: Path) -> None:
        (tmp_path / "token").mkdir(0o700)
        with pytest.raises(InvalidValueError, match="is not 32 to 512 visible"):
            load_token(tmp_path / "token")

    def test_many_that_start_at_once_have_the_same(self, tmp_path: Path) -> None:
        script = (
            "import sys; from pathlib import Path; from edgecls.web.token import load_token\n"
            "sys.stdin.readline(); load_token(Path(sys.argv[1]))\n"
            "print(open(sys.argv[1]).read())"
        )
        words = [sys.executable, "-c", script, str(tmp_path / "token")]
        starts = [
            subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(6)
        ]
        said = {process.communicate(b"\n")[0].strip() for process in starts}
        assert said == {(tmp_path / "token").read_bytes().strip()}

    def test_a_pipe_of_its_name_is_not_waited_for(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "token", 0o600)
        with pytest.raises(InvalidValueError, match="is not 32 to 512 visible"):
            load_token(tmp_path / "token")

    def test_a_place_where_none_can_be_kept_is_an_error(self) -> None:
        with pytest.raises(EdgeclsError, match="no token can be kept") as told:
            load_token(Path("/proc/edgecls/token"))
        assert "--token-file" in told.value.hint

    def test_under_systemd_it_lies_with_the_services_state(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/edgecls:/var/lib/other")
        assert default_path() == Path("/var/lib/edgecls/view-token")
