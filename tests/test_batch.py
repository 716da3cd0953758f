"""Many picture files: in order, in flat memory, failures counted; 100,000 of them on request.

EDGECLS_FILES=100000 makes the large test as large as it can be.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgecls.batch import MAX_NAME_BYTES, classify_files, split_names
from edgecls.classifier import Classifier
from edgecls.errors import InvalidValueError
from edgecls.imaging.opencv import cv2
from tests.support.tiny_model import frame_of, write_tiny_model

FILES = int(os.environ.get("EDGECLS_FILES", "5000"))


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Classifier]:
    """Ten classes, `level 0` (dark) to `level 9` (bright)."""
    write_tiny_model(tmp_path / "tiny.tflite")
    classifier = Classifier.open(tmp_path / "tiny.tflite")
    yield classifier
    classifier.close()


@pytest.fixture
def levels(tmp_path: Path) -> list[Path]:
    """One picture of each of the ten levels."""
    paths = [tmp_path / f"{level}.png" for level in range(10)]
    for level, path in enumerate(paths):
        cv2.imwrite(str(path), frame_of(level))
    return paths


class TestClassifyFiles:
    def test_each_file_gets_what_it_gets_alone(self, tiny: Classifier, levels: list[Path]) -> None:
        results = list(classify_files(tiny, levels, workers=4))
        assert [result.path for result in results] == levels
        for result, path in zip(results, levels, strict=True):
            alone = tiny.classify(cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB))
            assert list(result.predictions) == tiny.top(alone.scores, 3)

    @pytest.mark.fault(38)
    def test_a_file_that_cannot_be_read_keeps_its_place(
        self, tiny: Classifier, levels: list[Path], tmp_path: Path
    ) -> None:
        torn, absent = tmp_path / "torn.jpg", tmp_path / "absent.jpg"
        torn.write_bytes(b"\xff\xd8\xff\xe0")
        results = list(classify_files(tiny, [levels[0], torn, absent, levels[9]]))
        assert [bool(result.error) for result in results] == [False, True, True, False]
        assert results[2].to_json() == {
            "file": str(absent),
            "error": f"there is no file '{absent}'",
        }

    def test_stages_are_timed(self, tiny: Classifier, levels: list[Path]) -> None:
        (result,) = classify_files(tiny, levels[:1])
        assert list(result.latency_ms) == ["decode", "prepare", "invoke"]
        assert min(result.latency_ms.values()) > 0

    def test_at_least_one_thread_decodes(self, tiny: Classifier) -> None:
        with pytest.raises(InvalidValueError, match="0 decoding threads were asked for"):
            list(classify_files(tiny, [], workers=0))


def reading(*chunks: bytes) -> Callable[[], bytes]:
    """As a pipe gives them; nothing at its end."""
    remaining = iter(chunks)
    return lambda: next(remaining, b"")


class TestNames:
    @pytest.mark.parametrize(
        ("chunks", "names"),
        [
            pytest.param((b"a.jpg\nb.jpg\n",), ["a.jpg", "b.jpg"], id="one a line"),
            pytest.param((b"a.jpg\nb.jpg",), ["a.jpg", "b.jpg"], id="the last line has no end"),
            pytest.param((b"a.j", b"pg\nb", b".jpg\n"), ["a.jpg", "b.jpg"], id="in pieces"),
            pytest.param((b"a.jpg\r\nb.jpg\r\n",), ["a.jpg", "b.jpg"], id="written on Windows"),
            pytest.param((b"\na.jpg\n\n\n",), ["a.jpg"], id="empty lines are none"),
            pytest.param((b" a b.jpg\n",), [" a b.jpg"], id="blanks belong to the name"),
            pytest.param((b"caf\xe9.jpg\n",), ["caf\udce9.jpg"], id="not UTF-8"),
            pytest.param((), [], id="nothing at all"),
        ],
    )
    def test_lines(self, chunks: tuple[bytes, ...], names: list[str]) -> None:
        assert [str(path) for path in split_names(reading(*chunks))] == names

    def test_names_that_end_in_nul_may_hold_line_breaks(self) -> None:
        found = split_names(reading(b"a\n.jpg\0b.j", b"pg\0\0"), is_null_separated=True)
        assert list(found) == [Path("a\n.jpg"), Path("b.jpg")]

    def test_what_is_no_list_of_names_is_refused_before_it_fills_the_memory(self) -> None:
        with pytest.raises(InvalidValueError, match="a name on standard input has more than 65536"):
            list(split_names(lambda: b"x" * MAX_NAME_BYTES))


MEASURED = """
import json, sys
from pathlib import Path
from edgecls.batch import classify_files
from edgecls.classifier import Classifier
from edgecls.pictures.folder import find_pictures

def resident_kb():
    fields = dict(line.split(":", 1) for line in open("/proc/self/status"))
    return int(fields["VmRSS"].split()[0])

classifier = Classifier.open(Path(sys.argv[1]))
names, failed, memory = [], 0, []
every = int(sys.argv[3]) // 10
last, ordered, count = "", True, 0
for result in classify_files(classifier, find_pictures([Path(sys.argv[2])]), 1):
    ordered &= last < str(result.path)
    last = str(result.path)
    failed += bool(result.error)
    count += 1
    if count % every == 0:
        memory.append(resident_kb())
print(json.dumps({"count": count, "ordered": ordered, "failed": failed, "memory_kb": memory}))
"""


@pytest.mark.fault(40)
@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="memory is read from /proc")
def test_memory_stays_flat_over_many_files(levels: list[Path], tmp_path: Path) -> None:
    write_tiny_model(tmp_path / "tiny.tflite")
    folder = tmp_path / "many"
    folder.mkdir()
    (tmp_path / "torn.png").write_bytes(levels[0].read_bytes()[:40])
    for number in range(FILES):  # links: made quickly, read like files
        target = tmp_path / "torn.png" if number % 100 == 99 else levels[number % 10]
        os.symlink(target, folder / f"{number:06}.png")
    result = subprocess.run(
        [sys.executable, "-c", MEASURED, tmp_path / "tiny.tflite", folder, str(FILES)],
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(result.stdout)
    assert (found["count"], found["failed"]) == (FILES, FILES // 100)
    assert found["ordered"]
    # After the first tenth everything is loaded; what follows may not cost anything a file.
    assert max(found["memory_kb"]) - found["memory_kb"][0] < 3000, found["memory_kb"]
