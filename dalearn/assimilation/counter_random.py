"""Random numbers that are a function of what they are for, not of what was drawn before.

A draw is the hash of its key (seed, time, place, variable, member).  So nothing has to be stored for a restart, and
a cell gets the same numbers whatever other cells are in the run, in any order and on any device.  The hash is the
finaliser of SplitMix64 (Steele, Lea & Flood 2014, doi:10.1145/2660193.2660195).
"""

import math

import torch
from torch import Tensor

GOLDEN_RATIO = 0x9E3779B97F4A7C15  # 2^64 divided by the golden ratio, odd


def mix(word: Tensor) -> Tensor:
    """Every bit of the result depends on every bit of ``word``; int64 taken as 64 bits, any shape."""
    word = (word ^ _shifted(word, 30)) * _signed(0xBF58476D1CE4E5B9)
    word = (word ^ _shifted(word, 27)) * _signed(0x94D049BB133111EB)
    return word ^ _shifted(word, 31)


def extend_key(key: Tensor, *words: Tensor | int) -> Tensor:
    """``key`` made to depend on further words as well; all int64, shapes broadcast."""
    for word in words:
        key = mix((key ^ word) + _signed(GOLDEN_RATIO))
    return key


def place_key(latitude: Tensor, longitude: Tensor) -> Tensor:
    """The key of a place from its coordinates in float64, all their bits; same shape."""
    zero = torch.zeros_like(latitude, dtype=torch.int64)
    # adding 0 makes one of the two zeros
    return extend_key(zero, (latitude.double() + 0.0).view(torch.int64), (longitude.double() + 0.0).view(torch.int64))


def standard_normal(key: Tensor) -> Tensor:
    """One number from N(0, 1) for every key, float64, by the inverse of its distribution function."""
    uniform = (_shifted(mix(key), 12).double() + 0.5) * 2.0**-52  # never 0 or 1
    return math.sqrt(2.0) * torch.erfinv(2.0 * uniform - 1.0)


def _shifted(word: Tensor, bits: int) -> Tensor:
    """Right shift that fills with zeros; that of int64 repeats the sign."""
    return (word >> bits) & ((1 << (64 - bits)) - 1)


def _signed(word: int) -> int:
    return word - (1 << 64) if word >> 63 else word
