"""Keeping things on a disk that may be full, read-only, pulled out or cut off at any moment.

journal    a file of lines that grows: torn tail repaired, rotated, found again after it was lost
album      a folder of pictures: written durably, one writer at a time
quota      the oldest pictures go first, and nothing else ever
outage     said once, counted, tried again
"""
