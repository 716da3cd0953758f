"""The page that shows what a conversion lost and where: a bar for each layer."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Final

from edgecls.console import printable
from edgecls.storage.kinds import PAGE_MARK
from edgecls_convert.layer_error import LayerError, worst_layers
from edgecls_convert.parity import Comparison, top1_interval
from edgecls_convert.remedies.outcome import Outcome

PAGE_NAME: Final = "conversion.html"
_FULL_DB: Final = 50.0
_ROW, _NAMES, _BARS = 18, 260, 420
# Most classes of a large label set keep what they had; those that changed most are shown.
_MOST_CLASSES: Final = 30
_STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse } td, th { padding: .15rem .8rem .15rem 0; text-align: left }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums }
svg { display: block; margin: 1rem 0 } svg text { font: 12px system-ui, sans-serif }
h2 { margin-top: 2rem }
.good { fill: #2e7d5b } .fair { fill: #d8961c } .bad { fill: #c0392b }
"""


def draw_page(
    comparison: Comparison, layers: Sequence[LayerError], outcomes: Sequence[Outcome]
) -> str:
    """One HTML page.

    Args:
        comparison: Float against the converted form, on held-out pictures.
        layers: In order of execution; may be empty.
        outcomes: Of the remedies; may be empty.
    """
    parts = [_accuracy(comparison), _remedies(outcomes), _layers(layers), _classes(comparison)]
    title = f"Conversion to {_escape(comparison.form)}"
    return (
        '<!doctype html>\n<html lang="en"><meta charset="utf-8">'
        f"{PAGE_MARK}\n"
        '<meta http-equiv="Content-Security-Policy"'
        " content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{title}</title><style>{_STYLE}</style>\n<h1>{title}</h1>\n"
        + "\n".join(part for part in parts if part)
        + "\n</html>\n"
    )


def _escape(text: str) -> str:
    """A text of a stranger as text, with what nobody would see of it written out."""
    return html.escape(printable(text))


def _accuracy(comparison: Comparison) -> str:
    rows = []
    for form, quality in (("float", comparison.in_float), (comparison.form, comparison.in_int8)):
        low, high = top1_interval(quality)
        rows.append(
            f"<tr><td>{_escape(form)}<td class=n>{quality.top1:.1%}"
            f"<td>{low:.1%} to {high:.1%}<td class=n>{quality.calibration_error:.1%}"
        )
    return (
        f"<p>On {comparison.in_float.images} held-out pictures; both forms agree on"
        f" {comparison.agreement:.1%}.\n<table><tr><th>form<th class=n>right"
        f"<th>95% interval<th class=n>calibration error{''.join(rows)}</table>"
    )


def _remedies(outcomes: Sequence[Outcome]) -> str:
    if not outcomes:
        return ""
    lines = "".join(f"<li>{_escape(outcome.describe())}" for outcome in outcomes)
    judged = next((outcome for outcome in outcomes if outcome.images), None)
    where = f", on {judged.images} pictures ({judged.subset})" if judged else ""
    return f"<h2>Remedies</h2><p>What each gained over the first conversion{where}:<ul>{lines}</ul>"


def _layers(layers: Sequence[LayerError]) -> str:
    if not layers:
        return ""
    worst = "".join(f"<li>{_escape(error.describe())}" for error in worst_layers(layers, 5))
    height = _ROW * len(layers)
    bars = "".join(_bar(number, error) for number, error in enumerate(layers))
    return (
        "<h2>Layers</h2><p>Signal to quantization noise in dB, in order of execution, on 16"
        " pictures: 30 and more is as good as float, 10 is an error of a third."
        + (f" Most is lost in<ul>{worst}</ul>" if worst else "")
        + f'<svg role="img" aria-label="dB of each layer" width="{_NAMES + _BARS + 60}"'
        f' height="{height}">{bars}</svg>'
    )


def _bar(number: int, error: LayerError) -> str:
    top = number * _ROW
    width = max(2.0, _BARS * min(error.sqnr_db, _FULL_DB) / _FULL_DB)
    look = "good" if error.sqnr_db >= 20 else "fair" if error.sqnr_db >= 10 else "bad"
    name = _escape(error.layer)
    return (
        f"<g><title>{_escape(error.describe())}</title>"
        f'<text x="{_NAMES - 8}" y="{top + 13}" text-anchor="end">{name}</text>'
        f'<rect class="{look}" x="{_NAMES}" y="{top + 2}" width="{width:.0f}"'
        f' height="{_ROW - 4}"/>'
        f'<text x="{_NAMES + width + 6:.0f}" y="{top + 13}">{error.sqnr_db:.0f}</text></g>'
    )


def _classes(comparison: Comparison) -> str:
    changed = sorted(comparison.changes, key=lambda change: -abs(change.drop))[:_MOST_CLASSES]
    rows = "".join(
        f"<tr><td>{_escape(change.label)}<td class=n>{change.images}"
        f"<td class=n>{change.before / change.images:.1%}"
        f"<td class=n>{change.after / change.images:.1%}"
        f"<td class=n>{change.lost}<td class=n>{change.gained}"
        for change in changed
        if change.images
    )
    left_out = len(comparison.changes) - len(changed)
    more = f"<p>{left_out} classes that changed less are not shown." if left_out else ""
    return (
        "<h2>Classes</h2><table><tr><th>class<th class=n>pictures<th class=n>float"
        f"<th class=n>{_escape(comparison.form)}<th class=n>lost<th class=n>gained{rows}"
        f"</table>{more}"
    )
