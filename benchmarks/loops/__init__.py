"""The loops that `benchmarks/camera_loop.py` compares, and the camera that they look at."""
