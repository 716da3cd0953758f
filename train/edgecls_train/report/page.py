"""The page of a report: its frame, its beginning in words, and what to do next."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import edgecls
from edgecls.metrics import wilson_interval
from edgecls_train.findings import Finding
from edgecls_train.mistakes import Mistake
from edgecls_train.report.data import data_section
from edgecls_train.report.markup import bullets, escape, paragraph, section
from edgecls_train.report.quality import (
    calibration_section,
    class_section,
    confusion_section,
    curve_section,
    learning_curve_section,
    mistake_section,
)
from edgecls_train.trained import Training


def build_report(
    training: Training,
    findings: tuple[Finding, ...],
    mistakes: tuple[Mistake, ...],
    *,
    run: Path,
    recipe_text: str,
    confusion_picture: bytes,
) -> str:
    """A page that needs no other file and no script.

    Args:
        training: Figures of the training.
        findings: What they mean.
        mistakes: The worst wrong answers on test pictures.
        run: The run folder, for the commands to go on with.
        recipe_text: The resolved recipe as TOML.
        confusion_picture: PNG, shown where the classes are too many for a table.

    Returns:
        HTML, UTF-8 when encoded.
    """
    name = Path(training.dataset.origin).name
    title = f"{name}: {training.test.top1:.1%} right"
    parts = (
        _summary(training, name),
        _findings_section(findings),
        learning_curve_section(training.learning_curve),
        curve_section(training.history),
        class_section(training),
        confusion_section(training, confusion_picture),
        calibration_section(training),
        mistake_section(mistakes),
        data_section(training),
        _recipe_section(training, recipe_text),
        _next_section(run),
    )
    body = "\n".join(part for part in parts if part)
    style = files("edgecls_train.report").joinpath("style.css").read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n"
        f"{body}\n<footer>Written by edgecls {edgecls.__version__}.</footer>\n"
        "</main>\n</body>\n</html>\n"
    )


def _summary(training: Training, name: str) -> str:
    test, counts = training.test, training.split.counts()
    low, high = wilson_interval(test.right, test.images)
    weakest = min((entry for entry in test.per_class if entry.images), key=lambda e: e.f1)
    figures = (
        (f"{test.top1:.1%}", "accuracy on test pictures"),
        (f"{test.macro_f1:.1%}", "macro F1"),
        (f"{weakest.f1:.1%}", f"F1 of the weakest class, '{weakest.label}'"),
        (f"{test.top5:.1%}", "right label among the best five"),
    )
    # Among a few classes the best five are nearly all of them.
    shown = figures if len(training.dataset.labels) >= 10 else figures[:3]
    boxes = "".join(
        f'<div class="figure"><b>{figure}</b><span>{escape(what)}</span></div>'
        for figure, what in shown
    )
    return "\n".join(
        (
            f"<header><h1>Training on {escape(name)}</h1>",
            paragraph(
                f"{len(training.dataset.labels)} classes, {counts['train']:,} training pictures,"
                f" recipe '{training.recipe.name}', {len(training.history)} epochs,"
                f" {training.seconds:.0f} seconds",
                "quiet",
            ),
            f'<div class="figures">{boxes}</div>',
            paragraph(
                f"The model is right on {test.right:,} of {test.images:,} test pictures, which it"
                f" was neither trained nor chosen on. Its true accuracy on pictures like these"
                f" lies between {low:.1%} and {high:.1%} (95% confidence)."
            ),
            "</header>",
        )
    )


def _findings_section(findings: tuple[Finding, ...]) -> str:
    if not findings:
        good = paragraph(
            "Nothing stands out: training and validation agree, no class falls behind, and there"
            " are enough pictures to say so."
        )
        return section("findings", "What this means", f'<div class="finding good">{good}</div>')
    boxes = (
        f'<div class="finding">{paragraph(finding.summary)}'
        f"<h3>What to try</h3>{bullets(finding.advice)}</div>"
        for finding in findings
    )
    return section("findings", "What this means", *boxes)


def _recipe_section(training: Training, recipe_text: str) -> str:
    return section(
        "recipe",
        "Recipe",
        paragraph(
            "Everything that decides what training makes of the same pictures. The file"
            " recipe.toml in the run folder repeats it."
        ),
        paragraph(f"The network has {training.model.count_params():,} parameters.", "quiet"),
        f"<pre>{_escape_lines(recipe_text)}</pre>",
    )


def _next_section(run: Path) -> str:
    commands = (
        f"edgecls convert {run} --int8",
        "edgecls camera --model model.tflite",
        f"edgecls explain --model {run} PICTURES",
        f"edgecls train DATA --recipe {run}/recipe.toml",
    )
    remarks = (
        "make the file for the board, measured again there",
        "run it",
        "see where it looks, on pictures of your own",
        "train again, after changing pictures or recipe",
    )
    lines = "\n".join(
        f"# {remark}\n{command}" for remark, command in zip(remarks, commands, strict=True)
    )
    return section("next", "How to go on", f"<pre>{_escape_lines(lines)}</pre>")


def _escape_lines(text: str) -> str:
    return "\n".join(escape(line) for line in text.splitlines())
