"""A child process for the tests of `edgecls.child`: it does what its job says."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time

from edgecls.child.inside import begin, give_up, say


def main() -> None:
    line, job = begin()
    say(line, started=os.getpid())
    match job["does"]:
        case "echo":
            while packet := line.recv(1 << 16):
                line.send(packet)
        case "nonsense":
            line.send(b"\xff no JSON")
        case "crash":
            os.write(2, b"x" * 100_000 + b" its last words")
            os.kill(os.getpid(), signal.SIGSEGV)
        case "exit":
            sys.exit("nothing to do")
        case "fail":
            give_up(line, ValueError("\U0001f41e" * 50_000))
        case "hang":
            time.sleep(3600)
        case "hang with Python's lock":
            ctypes.PyDLL(None).sleep(3600)
        case "grow":
            room = bytearray(os.urandom(1)) * (50 << 20)
            say(line, grown=len(room))
            time.sleep(3600)


if __name__ == "__main__":
    main()
