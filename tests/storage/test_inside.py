"""Files of one folder: through no link, and never outside of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgecls.storage.inside import Inside


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root" / "cat").mkdir(parents=True)
    (tmp_path / "root" / "cat" / "1.jpg").write_bytes(b"cat")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.jpg").write_bytes(b"secret")
    return tmp_path / "root"


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("../outside/secret.jpg", id="upwards"),
        pytest.param("cat/../../outside/secret.jpg", id="upwards in between"),
        pytest.param("/etc/passwd", id="absolute"),
        pytest.param("cat//1.jpg", id="with an empty part"),
        pytest.param("cat/.", id="a folder itself"),
        pytest.param("cat/1.jpg\0", id="with a NUL"),
        pytest.param("", id="nothing"),
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(root: Path, name: str) -> None:
    with Inside(root) as inside:
        with pytest.raises(OSError, match="no name inside the folder"):
            inside.rename(name, "cat/2.jpg")
        with pytest.raises(OSError, match="no name inside the folder"):
            inside.rename("cat/1.jpg", name)
        with pytest.raises(OSError, match="no name inside the folder"):
            inside.unlink(name)
    assert (root / "cat" / "1.jpg").read_bytes() == b"cat"


def test_a_folder_that_is_a_link_is_not_entered(root: Path) -> None:
    (root / "link").symlink_to(root.parent / "outside")
    with Inside(root) as inside:
        assert not inside.has("link/secret.jpg")
        with pytest.raises(NotADirectoryError):
            inside.rename("link/secret.jpg", "cat/2.jpg")
        with pytest.raises(NotADirectoryError):
            inside.rename("cat/1.jpg", "link/1.jpg")
    assert [file.name for file in (root.parent / "outside").iterdir()] == ["secret.jpg"]


def test_a_rename_makes_the_folder(root: Path) -> None:
    with Inside(root) as inside:
        inside.rename("cat/1.jpg", "a/b/c/1.jpg")
    assert (root / "a/b/c/1.jpg").read_bytes() == b"cat"


def test_a_rename_overwrites_nothing(root: Path) -> None:
    (root / "dog.jpg").write_bytes(b"dog")
    with Inside(root) as inside, pytest.raises(FileExistsError, match="already"):
        inside.rename("cat/1.jpg", "dog.jpg")
    assert (root / "dog.jpg").read_bytes() == b"dog"


def test_a_folder_that_holds_something_is_not_removed(root: Path) -> None:
    with Inside(root) as inside:
        assert not inside.rmdir("cat")
        inside.unlink("cat/1.jpg")
        assert inside.rmdir("cat")
        assert not inside.rmdir("cat")
