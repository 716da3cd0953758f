"""From encoded bytes to frames and from frames to images: the only decode, crop and resize code.

`decode` (bytes -> frame) is in `imaging.decode`, `prepare` (frame -> image) in `imaging.prepare`.
"""
