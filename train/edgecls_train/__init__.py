"""Trains image classifiers; needs TensorFlow and runs on a workstation."""
