"""Tests of a board's set-up; `make setup-test` runs those that need root and a network, too."""

from __future__ import annotations

import os

collect_ignore_glob = [] if os.environ.get("EDGECLS_SETUP") else ["test_*_for_real.py"]
