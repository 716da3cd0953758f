"""Are two classifiers different? Tests for answers to the same pictures."""

from __future__ import annotations

from collections.abc import Sequence


def mcnemar_p(lost: int, won: int) -> float:
    """Two-sided p-value of McNemar's exact test.

    Were the classifiers equally good, each picture that only one of them has right would be a
    toss of a coin; this is how likely tosses at least as one-sided are.

    Args:
        lost: Pictures that only the first answers rightly.
        won: Pictures that only the second answers rightly.

    Source:
        McNemar 1947, Psychometrika 12(2):153-157; the exact form is the binomial test.
    """
    return min(1.0, 2 * chance_of_loss(max(lost, won), min(lost, won)))


def chance_of_loss(lost: int, won: int) -> float:
    """One-sided p-value of the same test: how likely at least so many losses are by chance.

    Args:
        lost: Pictures that only the first answers rightly.
        won: Pictures that only the second answers rightly.
    """
    tosses = lost + won
    ways = total = 1  # of the tail, in whole numbers: 2 ** -10000 is no float
    for heads in range(won):
        ways = ways * (tosses - heads) // (heads + 1)
        total += ways
    share: float = total / 2**tosses
    return share


def adjust_for_several(p_values: Sequence[float]) -> list[float]:
    """P-values after a correction for testing several things at once, in the same order.

    Source:
        Holm 1979, Scandinavian Journal of Statistics 6(2):65-70.
    """
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted = [1.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, p_values[index] * (len(p_values) - rank)))
        adjusted[index] = largest
    return adjusted
