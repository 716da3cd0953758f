"""The page that explains a run: `edgecls_train.report`, and what it is made from."""

from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from edgecls.contract.labels import Labels
from edgecls.imaging.decode import decode
from edgecls_train.evaluate import evaluate_model
from edgecls_train.findings import Finding
from edgecls_train.fit import fit
from edgecls_train.learning_curve import CurvePoint, LearningCurve
from edgecls_train.mistakes import find_mistakes, show_mistakes
from edgecls_train.report import build_report
from edgecls_train.report.charts import axis_over
from edgecls_train.split import Split
from edgecls_train.trained import Training
from edgecls_train.twins import find_twins
from tests.train.made_data import stripes, stripes_recipe

SPLIT = Split(train=np.arange(0, 40, 2), val=np.arange(1, 40, 4), test=np.arange(3, 40, 4))
EVIL = "<script>alert('x')</script>"
VOID = frozenset({"meta", "img"})


@pytest.fixture(scope="module")
def training() -> Training:
    """Two epochs on stripes, whose labels and names are as bad as can be."""
    dataset = dataclasses.replace(
        stripes(),
        origin="/data/a & b <i>",
        labels=Labels((EVIL, 'a "quoted" & long label')),
        names=tuple(f"{EVIL}/{number}\udcff.png" for number in range(40)),
        unreadable=(f"'{EVIL}.png': it is cut off",),
    )
    recipe = stripes_recipe()
    model, history = fit(dataset, SPLIT, recipe)
    return Training(
        model=model,
        recipe=recipe,
        dataset=dataset,
        split=SPLIT,
        history=history,
        evaluation=evaluate_model(model, dataset, SPLIT),
        seconds=1.5,
    )


def with_mistakes(training: Training) -> Training:
    """The same, with every test picture answered wrongly."""
    test = training.evaluation.test
    wrong = dataclasses.replace(test, targets=1 - test.scores.argmax(axis=1))
    return dataclasses.replace(
        training, evaluation=dataclasses.replace(training.evaluation, test=wrong)
    )


def report_of(training: Training, findings: tuple[Finding, ...] = ()) -> str:
    return build_report(
        training,
        findings,
        show_mistakes(training.model, training.dataset, training.evaluation.test),
        run=Path("runs/train/7"),
        recipe_text='name = "<b>"\n',
        confusion_picture=b"\x89PNG",
    )


class Outline(HTMLParser):
    """Tags that were opened, those still open, and everything that is fetched from elsewhere."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.open: list[str] = []
        self.sources: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        self.sources += [value for name, value in attrs if name in ("src", "href")]

    def handle_startendtag(self, tag, attrs):  # as SVG closes its shapes
        del attrs
        self.seen.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_whole_and_needs_nothing_from_elsewhere(training):
    outline = Outline(report_of(with_mistakes(training)))
    assert outline.open == []
    assert "script" not in outline.seen
    assert outline.sources
    assert all(source.startswith("data:image/") for source in outline.sources)


def test_labels_and_names_are_shown_and_not_obeyed(training):
    page = report_of(with_mistakes(training))
    assert EVIL not in page
    assert "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;" in page
    assert "a &quot;quoted&quot; &amp; long label" in page
    assert "a &amp; b &lt;i&gt;" in page
    page.encode()  # a name that is not UTF-8 does not break it


def test_the_page_has_every_section(training):
    page = report_of(training)
    anchors = re.findall(r'<section id="([a-z-]+)">', page)
    assert anchors == [
        "findings",
        "curves",
        "classes",
        "confusion",
        "calibration",
        "mistakes",
        "data",
        "recipe",
        "next",
    ]


def test_the_page_follows_light_dark_phone_and_paper(training):
    page = report_of(training)
    for words in ("prefers-color-scheme: dark", "@media print", 'name="viewport"'):
        assert words in page


def test_the_figures_of_the_page_are_those_of_the_test_pictures(training):
    page = report_of(training)
    test = training.test
    assert f"right on {test.right:,} of {test.images:,} test pictures" in page
    assert f"<b>{test.top1:.1%}</b>" in page


def test_a_healthy_training_is_told_so(training):
    assert "Nothing stands out" in report_of(training)


def test_findings_come_with_what_to_try(training):
    page = report_of(training, (Finding("overfitting", "It is <bad>.", ("add pictures",)),))
    assert "It is &lt;bad&gt;." in page
    assert "<li>add pictures</li>" in page
    assert "Nothing stands out" not in page


def test_the_learning_curve_is_shown_with_its_verdict(training):
    points = tuple(
        CurvePoint(s, int(400 * s), 1000, right)
        for s, right in ((0.25, 600), (0.5, 800), (1.0, 900))
    )
    curve = LearningCurve(points)
    page = report_of(dataclasses.replace(training, learning_curve=curve))
    assert "Would more pictures help?" in page
    assert curve.verdict in page


def test_the_commands_to_go_on_with_name_the_run(training):
    page = report_of(training)
    assert "edgecls convert runs/train/7 --int8" in page
    assert "edgecls explain --model runs/train/7" in page


def test_unreadable_pictures_are_listed(training):
    page = report_of(training)
    assert "Unreadable pictures, which were left out: 1" in page
    assert "it is cut off" in page


def test_the_worst_mistakes_are_the_surest_wrong_answers(training):
    test = training.evaluation.test
    scores = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.7, 0.3]], np.float32)
    targets = np.array([1, 1, 1, 1])
    measured = dataclasses.replace(test, scores=scores, targets=targets)
    assert find_mistakes(measured, 2).tolist() == [0, 3]
    assert find_mistakes(measured, 9).tolist() == [0, 3, 1]


def test_a_mistake_has_picture_and_heat_of_what_the_network_saw(training):
    (mistake, *_) = show_mistakes(
        training.model, training.dataset, with_mistakes(training).evaluation.test, 1
    )
    index = training.dataset.names.index(mistake.name)
    assert index in SPLIT.test
    shown = decode(mistake.picture)
    assert np.array_equal(shown[:, :, :1], training.dataset.images[index])
    assert decode(mistake.heat).shape == shown.shape
    assert 0.5 <= mistake.score <= 1.0
    assert mistake.score + mistake.truth_score == pytest.approx(1.0)


def test_repeated_pictures_are_found_with_what_makes_them_harmful():
    dataset = stripes()
    dataset.images[2] = dataset.images[0]  # both trained on, one label
    dataset.images[3] = dataset.images[4]  # tested on and trained on
    dataset.images[30] = dataset.images[6]  # two labels, both trained on
    found = find_twins(dataset, SPLIT)
    assert found is not None
    assert found.groups == (("000", "002"), ("003", "004"), ("006", "030"))
    assert found.across_labels == (("006", "030"),)
    assert found.across_subsets == (("003", "004"),)
    assert found.surplus == 3


def test_repeated_pictures_are_told_on_the_page(training):
    images = training.dataset.images.copy()
    images[3] = images[4]
    page = report_of(
        dataclasses.replace(training, dataset=dataclasses.replace(training.dataset, images=images))
    )
    assert "Images both trained on and measured on, which flatters the figures above: 1" in page


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        pytest.param([0.0, 1.0], (0.0, 0.5, 1.0), id="from 0 to 1"),
        pytest.param([93.0, 99.0], (92.0, 94.0, 96.0, 98.0, 100.0), id="near the top"),
        pytest.param([0.3, 0.3], (0.0, 0.5), id="one value"),
    ],
)
def test_axes_have_round_ticks(values, ticks):
    assert axis_over(values, "x").ticks == pytest.approx(ticks)
