# SPDX-License-Identifier: MIT
"""The library's own source of randomness: the same numbers on every VM, seeded by the caller.

A 16-bit xorshift would repeat too soon and a 32-bit one leaves the small ints of a board, so the
state is two 15-bit halves stepped as a multiply-with-carry pair (each product stays below 2**30).
Good for jitter, epochs and simulations; no secrets are made from it.
"""

from .port import const

_MASK15 = const(0x7FFF)
_MASK30 = const(0x3FFFFFFF)
# Multipliers a for which a * 2**15 - 1 is a safe prime: both periods are then near 2**28.
_A = const(19428)
_B = const(30903)


def _mixed(seed: int) -> int:
    # Let each bit of a seed bear on all: seeds like 1 and 2 must not give numbers alike.
    for _ in range(8):
        seed = (_B * (seed & _MASK15) + (seed >> 15)) ^ 0x2A5A
    return seed


class Random:
    """A seeded stream of 30-bit numbers."""

    def __init__(self, seed: int) -> None:
        seed = _mixed(seed & _MASK30)
        self._x = (seed & _MASK15) or 1  # a generator must not be all zero, with its carry
        self._xc = seed >> 15 & 0xFFF
        seed = _mixed(seed)
        self._y = (seed & _MASK15) or 1
        self._yc = seed >> 15 & 0xFFF

    def next(self) -> int:  # hot:
        """Return the next number, 0..2**30-1."""
        t = _A * self._x + self._xc
        self._x = t & _MASK15
        self._xc = t >> 15
        t = _B * self._y + self._yc
        self._y = t & _MASK15
        self._yc = t >> 15
        return self._x << 15 | self._y

    def below(self, n: int) -> int:  # hot:
        """Return a number in 0..n-1; 1 <= n <= 2**15 for an even spread."""
        return (self.next() >> 13) % n if n <= 512 else self.next() % n
