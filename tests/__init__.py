"""Tests: the specification, in the layout of the package."""
