"""Words: the order-preserving bits of scores, which are divided into the cells of a histogram.

A word is a uint64, and words are in the order of their scores. A cell is a word without its lowest
bits, so the scores of a cell differ by a small share of themselves. That is as fine as a logit has
to be; but probabilities near 1 are told apart by their distance to 1. So the word of a probability
above one half is that of `1 - p`, which float64 has exactly, counted down from the other end:
cells are as fine near 1 as near 0. The probability 0 has a cell of its own, as does 1.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Words = npt.NDArray[np.uint64]

SIGN = np.uint64(1 << 63)
_HALF = np.float64(0.5).view(np.uint64)
_ONE = np.uint64(2) * _HALF
_LEAST = np.uint64(1)


def logit_bits(scores: Floats) -> Words:
    """Returns the plain bits of scores, uint64 of the same shape; those of -0.0 are those of 0.0.

    Plain bits divide scores into the same cells as words, in another order (`ordered`).
    """
    return (scores + 0.0).view(np.uint64)


def probability_bits(scores: Floats) -> Words:
    """Returns the plain bits of probabilities, uint64 of the same shape.

    They divide probabilities into the same cells as words, in another order (`ordered`).

    Args:
        scores: float64, in [0, 1].
    """
    mirrored = _ONE - (1.0 - scores).view(np.uint64)
    bits = np.where(scores > 0.5, mirrored, scores.view(np.uint64))
    # As the bits of -0.0 they share no cell with positive numbers, however wide cells are.
    return np.where(scores == 0, SIGN, bits)


def ordered(bits: Words, shift: int = 0) -> Words:
    """Returns the cells of words, given the cells of plain bits.

    Args:
        bits: uint64, plain bits without their lowest bits.
        shift: the number of bits left out.
    """
    sign = np.uint64(1 << (63 - shift))
    mask = np.uint64((1 << (64 - shift)) - 1)
    return np.where(bits & sign, ~bits & mask, bits | sign)


def lowest_scores(cells: Words, shift: int, *, probabilities: bool) -> Floats:
    """Returns the lowest score that each cell can hold, float64 of the same shape.

    The lowest finite number takes the place of what is below all numbers.

    Args:
        cells: uint64, cells of words.
        shift: the number of bits that the cells lack.
        probabilities: whether the scores are probabilities.
    """
    words = cells << np.uint64(shift)
    if not probabilities:
        scores = _scores(words)
        return np.where(np.isnan(scores), np.finfo(np.float64).min, scores)
    words = np.minimum(np.maximum(words, SIGN | _LEAST) ^ SIGN, _ONE)
    distance = _distance(words)
    above = 1.0 - distance
    above = np.where(1.0 - above > distance, np.nextafter(above, 1.0), above)
    scores = np.where(words <= _HALF, words.view(np.float64), above)
    return np.where(cells << np.uint64(shift) < SIGN, 0.0, scores)


def highest_scores(cells: Words, shift: int, *, probabilities: bool) -> Floats:
    """Returns the highest score that each cell can hold, float64 of the same shape.

    The highest finite number takes the place of what is above all numbers.

    Args:
        cells: uint64, cells of words.
        shift: the number of bits that the cells lack.
        probabilities: whether the scores are probabilities.
    """
    words = (cells << np.uint64(shift)) | np.uint64((1 << shift) - 1)
    if not probabilities:
        scores = _scores(words)
        return np.where(np.isnan(scores), np.finfo(np.float64).max, scores)
    words = np.minimum(np.maximum(words, SIGN) ^ SIGN, _ONE)
    distance = _distance(words)
    below = 1.0 - distance
    below = np.where(1.0 - below < distance, np.nextafter(below, 0.0), below)
    return np.where(words <= _HALF, words.view(np.float64), below)


def _scores(words: Words) -> Floats:
    """Returns the logits of words."""
    scores: Floats = np.where(words & SIGN, words ^ SIGN, ~words).view(np.float64)
    return scores


def _distance(words: Words) -> Floats:
    """Returns how far the probabilities of words above that of one half are from 1."""
    distance: Floats = (_ONE - np.maximum(words, _HALF)).view(np.float64)
    return distance
