"""Seeded fuzzers: damaged and hostile input by the thousand, in a process that may die of it.

    python -m tests.fuzz --target models --count 10000 --seed 1

`mutations` damages bytes, `targets` knows what is damaged and who reads it, `worker` is the process
that reads, `supervisor` watches it. What they find is put under `found/<target>/` and stays a test.
"""
