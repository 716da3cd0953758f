"""Converts trained classifiers into verified int8 models; needs TensorFlow."""
