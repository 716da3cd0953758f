"""The token that whoever looks from another machine must have: a file that only its owner reads."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import os
import re
import shlex
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
                hint=f"delete the file, and a new one is made: rm {_quoted(path)}",
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

    An empty file is none: earlier versions left one where the disk was full.

    Raises:
        EdgeclsError: It can neither be read nor made, or others know it or may read it, too.
    """
    with contextlib.suppress(FileNotFoundError):
        content = _read(path)
        if content:
            return _to_token(content, path)
    try:
        _make(path)
    except OSError as wrong:
        raise EdgeclsError(
            f"no token can be kept in {str(path)!r}: {wrong.strerror}",
            hint="name a file that can be written with --token-file",
        ) from wrong
    try:
        return _to_token(_read(path), path)
    except FileNotFoundError as wrong:
        if path.is_symlink():
            raise EdgeclsError(
                f"the token {str(path)!r} is a link that leads nowhere",
                hint=f"delete it, and a token is made: rm {_quoted(path)}",
            ) from wrong
        raise EdgeclsError(f"the token {str(path)!r} was deleted just now", hint="try again") from (
            wrong
        )


def _to_token(content: bytes, path: Path) -> Token:
    return Token(content.decode("latin-1").strip(), path)


def _make(path: Path) -> None:
    """Write a token beside its place, and let it have its name when it is whole on the disk."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    secret = base64.urlsafe_b64encode(os.urandom(_BYTES)).rstrip(b"=")
    beside = path.with_name(f".{path.name[:100]}.{os.urandom(8).hex()}.part")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    handle = os.open(beside, flags, 0o600)
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(secret + b"\n")
            out.flush()
            os.fsync(out.fileno())
        _put(beside, path)
    finally:
        with contextlib.suppress(OSError):
            os.unlink(beside)


def _put(beside: Path, path: Path) -> None:
    """Give it its name, unless another process was quicker."""
    with contextlib.suppress(FileNotFoundError):
        if path.lstat().st_size == 0:
            os.rename(beside, path)
            return
    try:
        os.link(beside, path)
    except FileExistsError:
        return
    except OSError:  # a file system without links
        os.rename(beside, path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _read(path: Path) -> bytes:
    """What is in the file, if nobody else knows it.

    Raises:
        FileNotFoundError: There is none, or a link leads nowhere.
    """
    try:
        # O_NONBLOCK: a FIFO of this name would be waited for.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            status = os.fstat(handle)
            # More than a token has, so that what is longer shows; nothing of a pipe.
            content = os.read(handle, 1024) if stat.S_ISREG(status.st_mode) else b"\0"
        finally:
            os.close(handle)
    except FileNotFoundError:
        raise
    except OSError as wrong:
        raise EdgeclsError(
            f"the token {str(path)!r} cannot be read: {wrong.strerror}",
            hint="name another file with --token-file",
        ) from wrong
    # systemd keeps credentials for one service alone, by means that the mode does not show.
    if path.parent != Path(os.environ.get("CREDENTIALS_DIRECTORY") or "-"):
        _check(status, path)
    return content


def _check(status: os.stat_result, path: Path) -> None:
    if status.st_uid not in (0, os.geteuid()):
        raise EdgeclsError(
            f"the token {str(path)!r} belongs to another user, who knows it",
            hint="name another file with --token-file, and it is made",
        )
    if status.st_mode & 0o077:
        raise EdgeclsError(
            f"others may read the token {str(path)!r} (its mode is {status.st_mode & 0o777:o})",
            hint=f"chmod 600 {_quoted(path)}; better delete it, and a new one is made",
        )


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))
