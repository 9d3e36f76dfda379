"""A bell wakes a process that sleeps: an eventfd on Linux, a pipe elsewhere. Whoever is awake never waits for it."""

from __future__ import annotations

import contextlib
import os
import select


class Bell:
    """``ring`` costs one system call and never blocks; rings that nobody heard yet are one or many, which is the same."""

    def __init__(self, descriptors: tuple[int, int] | None = None) -> None:
        """A new bell, or the one with these descriptors (to listen to, to ring) that another process made."""
        if descriptors is not None:
            self.listening, self.ringing = descriptors
        elif hasattr(os, "eventfd"):
            self.listening = self.ringing = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        else:  # macOS, BSD: two system calls where an eventfd takes one
            self.listening, self.ringing = os.pipe()
            os.set_blocking(self.listening, False)
            os.set_blocking(self.ringing, False)
        self._poll = select.poll()
        self._poll.register(self.listening, select.POLLIN)
        self._open = True

    @property
    def descriptors(self) -> tuple[int, int]:
        """What another process needs, if it inherits them."""
        return self.listening, self.ringing

    def ring(self) -> None:
        with contextlib.suppress(BlockingIOError):  # it is full of rings: it will be heard
            os.write(self.ringing, (1).to_bytes(8, "little"))

    def wait(self, milliseconds: float) -> bool:
        """Sleep until it is rung, at most that long, and hear it; returns whether it was."""
        rung = bool(self._poll.poll(milliseconds))
        if rung:
            self.hear()
        return rung

    def hear(self) -> None:
        """Take note of the rings so far."""
        with contextlib.suppress(BlockingIOError):  # another listener was quicker
            os.read(self.listening, 4096)

    def close(self) -> None:
        if self._open:
            self._open = False
            for descriptor in {self.listening, self.ringing}:
                os.close(descriptor)
