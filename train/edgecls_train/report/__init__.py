"""The report of a run: one HTML page with everything that was measured, in words and pictures."""

from edgecls_train.report.page import build_report

__all__ = ["build_report"]
