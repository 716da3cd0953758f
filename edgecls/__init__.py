"""edgecls: from a folder of pictures to a verified int8 classifier on a camera board."""

__version__ = "0.1.0"
