"""The nearest number that is not taken, of many that are. Pure."""

from __future__ import annotations

from collections.abc import Callable


class Numbers:
    """Numbers from one to another. What was found taken once is not asked for again, so it stays so."""

    def __init__(self, least: int, most: int) -> None:
        self._least, self._most = least, most
        self._beyond: dict[int, dict[int, int]] = {1: {}, -1: {}}  # by direction: from one that is taken

    def nearest(self, value: int, is_taken: Callable[[int], bool]) -> int:
        """The number beside a value, or as near as possible; of two the greater one."""
        above = self._first(max(value + 1, self._least), 1, is_taken)
        below = self._first(min(value - 1, self._most), -1, is_taken)
        found = [one for one in (above, below) if self._least <= one <= self._most]
        return min(found, key=lambda one: (abs(one - value), -one))

    def _first(self, number: int, step: int, is_taken: Callable[[int], bool]) -> int:
        """The first one in a direction that is not taken; it may be beyond the last one."""
        beyond = self._beyond[step]
        way = []
        while number in beyond or (self._least <= number <= self._most and is_taken(number)):
            way.append(number)
            number = beyond.get(number, number + step)
        beyond |= dict.fromkeys(way, number)
        return number
