"""The board's part of a deployment: sent there through ssh and run by its `python3`.

These modules import nothing but the standard library and each other, so that they run beside any
version of edgecls, and beside none. `PARTS` are sent in this order; `work.main` begins.
"""

from typing import Final

PARTS: Final = ("telling", "folder", "shelf", "unit", "work")
