"""Video4Linux2 in plain Python: what a camera can do, and its frames as the driver gives them.

Source:
    Linux, include/uapi/linux/videodev2.h and the V4L2 chapters of its documentation.
"""
