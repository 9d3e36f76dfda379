"""Numbers as the venue prints and reads them: whole steps in this process, decimal digits on the wire, never a float."""

from __future__ import annotations

import re
from typing import NamedTuple

_NUMBER = re.compile(r"[0-9]{1,15}(?:\.[0-9]{0,15})?", re.ASCII)


class NotANumber(ValueError):  # noqa: N818 - says what was found
    """The text is no plain decimal number."""


class TooPreciseError(ValueError):
    """The number has more digits than the venue prints: -1111."""


class OffStepError(ValueError):
    """The number is not a multiple of the tick or lot."""


class Digits(NamedTuple):
    """A number of ``step``s of 10**-decimals, printed with ``decimals`` digits."""

    decimals: int
    step: int

    def text(self, steps: int) -> str:
        if self.decimals == 0:
            return str(steps * self.step)
        whole, part = divmod(steps * self.step, 10**self.decimals)
        return f"{whole}.{part:0{self.decimals}d}"

    def parse(self, text: str) -> int:
        """The number in steps; raises NotANumber, TooPreciseError or OffStepError."""
        if not _NUMBER.fullmatch(text):
            raise NotANumber(text)
        whole, _, part = text.partition(".")
        part = part.rstrip("0")
        if len(part) > self.decimals:
            raise TooPreciseError(text)
        steps, rest = divmod(int(whole + part.ljust(self.decimals, "0")), self.step)
        if rest:
            raise OffStepError(text)
        return steps

    def value(self, steps: int) -> float:
        """For drawing and rough sums only."""
        return float(steps * self.step) / 10.0**self.decimals
