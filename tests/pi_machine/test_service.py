"""`edgecls camera` as a service of a real systemd, in the emulated machine."""

from __future__ import annotations

from collections.abc import Callable

from tests.pi_machine.conftest import Scenes


def test_a_service_that_is_killed_is_back_and_classifies(play: Callable[..., Scenes]) -> None:
    scenes = play("vivid", "scenes_systemd.py", init="systemd")
    assert scenes["start"]["state"] == "active"
    assert scenes["start"]["classifies"]
    assert scenes["kill"]["restarts"] == 1
    assert scenes["kill"]["classifies"]
    assert scenes["end"]["state"] == "inactive"
