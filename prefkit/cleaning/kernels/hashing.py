"""64-bit hashes of words and of the shingles they make."""

import numpy as np
from numpy.typing import NDArray

from prefkit.cleaning.kernels.compiled import compiled

Hashes = NDArray[np.uint64]
# Odd, without structure: digits of the golden ratio and of pi.
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_START = np.uint64(0x243F6A8885A308D3)
_SECOND, _THIRD = np.uint64(0x13198A2E03707343), np.uint64(0xA4093822299F31D5)
_30, _27, _31 = (np.uint64(bits) for bits in (30, 27, 31))
_MIX_1, _MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


@compiled
def mix(value: np.uint64) -> np.uint64:
    """splitmix64's finaliser (Steele et al. 2014): every input bit moves every output bit."""
    value = (value ^ (value >> _30)) * _MIX_1
    value = (value ^ (value >> _27)) * _MIX_2
    return value ^ (value >> _31)


@compiled
def step(state: np.uint64, value: np.uint64) -> np.uint64:
    """One round of a sequence's hash: different states or values make different states."""
    return (state ^ value) * _MULTIPLIER


@compiled
def shingle(words: Hashes, begin: int, width: int) -> np.uint64:
    """Hash of `width` words in their order.

    The factors of two places differ by two or four times an odd number: order counts.
    """
    state = _START * np.uint64(width) + words[begin]
    if width > 1:
        state += words[begin + 1] * _SECOND
    if width > 2:
        state += words[begin + 2] * _THIRD
    for at in range(begin + 3, begin + width):
        state = step(mix(state), words[at])
    return mix(state)
