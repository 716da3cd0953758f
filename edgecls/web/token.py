"""The token that whoever looks from another machine must have: a file that only its owner reads."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import os
import re
import stat
import time
from pathlib import Path
from typing import Final

from edgecls.errors import EdgeclsError, InvalidValueError

_BYTES: Final = 32  # 256 bits
_PASS_S: Final = 30 * 86_400
_TOKEN: Final = re.compile(r"[\x21-\x7e]{32,512}")


class Token:
    """A secret, and the passes (cookies) that are derived from it.

    A pass is the time until which it holds and a signature, so nothing has to be remembered, it
    outlives a restart, and a new token ends all passes.

    Args:
        secret: 32 to 512 visible ASCII characters.
        path: The file it is in, for messages.

    Raises:
        InvalidValueError: It is too short or has other characters.
    """

    def __init__(self, secret: str, path: Path) -> None:
        if _TOKEN.fullmatch(secret) is None:
            raise InvalidValueError(
                f"the token in {str(path)!r} is not 32 to 512 visible ASCII characters in one line",
                hint="delete the file, and a new one is made",
            )
        self.path = path
        self._secret = secret.encode("ascii")

    def fits(self, given: str) -> bool:
        """Whether somebody has it; takes as long for a wrong one as for the right one."""
        return hmac.compare_digest(self._secret, given.encode("utf-8", "surrogatepass"))

    def make_pass(self, now_s: float | None = None) -> str:
        """What a browser is given for the token, for 30 days."""
        until = str(int((time.time() if now_s is None else now_s) + _PASS_S))
        return f"{until}.{self._sign(until)}"

    def takes_pass(self, given: str, now_s: float | None = None) -> bool:
        """Whether it was made with this token and still holds."""
        until, _, signature = given.partition(".")
        if not hmac.compare_digest(
            self._sign(until).encode(), signature.encode("utf-8", "replace")
        ):
            return False
        return (time.time() if now_s is None else now_s) < int(until)

    def _sign(self, until: str) -> str:
        said = f"edgecls pass until {until}".encode("utf-8", "replace")
        return hmac.new(self._secret, said, hashlib.sha256).hexdigest()


def default_path() -> Path:
    """Where the token lies if nobody says otherwise.

    In `STATE_DIRECTORY` (set by systemd), else `$XDG_STATE_HOME/edgecls`, else
    `~/.local/state/edgecls`.
    """
    named = os.environ.get("STATE_DIRECTORY", "").split(":")[0]
    if named:
        return Path(named) / "view-token"
    base = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return Path(base) / "edgecls" / "view-token"


def load_token(path: Path) -> Token:
    """Read the token; make one of 256 random bits, in a file of mode 0600, where there is none.

    Raises:
        EdgeclsError: It can neither be read nor made, or others may read it, too.
    """
    with contextlib.suppress(FileNotFoundError):
        return _read(path)
    try:
        _make(path)
    except FileExistsError:  # another process was quicker
        pass
    except OSError as wrong:
        raise EdgeclsError(
            f"no token can be kept in {str(path)!r}: {wrong.strerror}",
            hint="name a file that can be written with --token-file",
        ) from wrong
    try:
        return _read(path)
    except FileNotFoundError as wrong:
        raise EdgeclsError(f"the token {str(path)!r} was deleted just now") from wrong


def _make(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    secret = base64.urlsafe_b64encode(os.urandom(_BYTES)).rstrip(b"=")
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as out:
        out.write(secret + b"\n")
        out.flush()
        os.fsync(out.fileno())


def _read(path: Path) -> Token:
    try:
        # O_NONBLOCK: a FIFO of this name would be waited for.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            status = os.fstat(handle)
            content = file.read(1024) if stat.S_ISREG(status.st_mode) else b""
    except FileNotFoundError:
        raise
    except OSError as wrong:
        raise EdgeclsError(f"the token {str(path)!r} cannot be read: {wrong.strerror}") from wrong
    # systemd keeps credentials for one service alone, by means that the mode does not show.
    is_credential = path.parent == Path(os.environ.get("CREDENTIALS_DIRECTORY") or "-")
    if status.st_mode & 0o077 and not is_credential:
        raise EdgeclsError(
            f"others may read the token {str(path)!r} (its mode is {status.st_mode & 0o777:o})",
            hint=f"chmod 600 {path}; better delete it, and a new one is made",
        )
    return Token(content.decode("latin-1").strip(), path)
