"""Faults to survive: which there are (`rows.toml`), tests of those that no other room shows."""
