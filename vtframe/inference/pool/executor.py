"""The executor of models in threads and processes: the engine asks, goes on, and takes the answers as they come."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Sequence
from typing import Final, Unpack

from vtframe.domain import Prediction, Verdict
from vtframe.inference.distant import Answered, DistantExecutor
from vtframe.inference.executor import NUMBER, Serving
from vtframe.inference.pool import board as b
from vtframe.inference.pool.bell import Bell
from vtframe.inference.pool.site import Answer, Request, Site

_CHECK_NS: Final = 20_000_000  # between two looks at the workers
_LOOKS: Final = 2_000  # at the answers, in one compiled call, while somebody waits for one
_NAP_MS: Final = 20
_WORKER_S: Final = 120.0  # that a session which waits for its answers waits for a worker

_OK: Final = Verdict.OK

_mono = time.monotonic_ns


class PoolExecutor(DistantExecutor):
    """One model for all instruments, served outside the engine's thread.

    ``submit`` asks about the newest row; ``collect`` returns what has been answered since, in the order in which the answers
    were taken. A request that is not answered by its deadline is closed as LATE, without outputs: its answer, if it ever comes,
    is dropped. With ``settings.overload = "block"`` the engine waits instead, in ``predict``.

    Counts add up: each row submitted is answered once, by ``submit`` or by ``collect``, or ``pending``.
    """

    def __init__(
        self,
        site: Site,
        **serving: Unpack[Serving],
    ) -> None:
        """Raises BundleError as Executor does."""
        super().__init__(site.bundle, **serving)
        self.site = site
        self._dropped = 0
        self._deaths: Counter[str] = Counter()  # of versions that left
        self._leaving: list[Site] = []  # of versions that were swapped out, until they have answered
        self._closing: list[threading.Thread] = []
        self._blocks = site.settings.overload == "block"
        self._check_at = 0

    @property
    def blocks(self) -> bool:
        """Whether the engine waits for each answer."""
        return self._blocks

    @property
    def done(self) -> Bell:
        """The engine's bell, the same for every version of the model."""
        return self.site.done

    @property
    def rings(self) -> bool:
        """Whether answers ring a bell for an engine that sleeps; else it looks for them all the time."""
        return self.site.settings.wait == "sleep"

    @property
    def available(self) -> bool:  # type: ignore[override]  # it changes here
        """Whether a worker can answer."""
        return self.site.available

    @property
    def pending(self) -> int:
        """Requests that are neither answered nor closed."""
        return len(self.site.pending) + sum(len(site.pending) for site in self._leaving)

    @property
    def dropped(self) -> int:
        """Answers that came after their request was closed."""
        return self._dropped + sum(site.dropped for site in (self.site, *self._leaving))

    @property
    def deaths(self) -> dict[str, int]:
        """Workers that ended or were put down, by what was found."""
        return dict(self._deaths + sum((site.staff.deaths for site in (self.site, *self._leaving)), Counter()))

    def submit(self, instrument: int, *, started: int) -> Sequence[Answered]:
        """Ask about the newest row of ``instrument``; ``started`` is the clock's monotonic reading when its input arrived.

        Returns what is settled at once: an invalid row, one that no worker is there for, an older one that this one replaced.
        Raises LookupError where the instrument has no row.
        """
        place, words = self._look(instrument)
        row = words[NUMBER]
        backlog = self._observe(instrument, words)
        site = self.site
        if not site.available and self._blocks:
            started += self._wait_for_worker()
        request = Request(words, started, backlog)
        if self._count_valid(instrument, place, words) < self._window:
            site.publish(instrument, row + 1)
            return (self._closed(instrument, request, Verdict.INVALID, site),)
        if not site.available:
            site.publish(instrument, row + 1)
            self._failure("has no worker that could answer")
            return (self._closed(instrument, request, Verdict.FAILED, site),)
        replaced = site.submit(instrument, row, request)
        return () if replaced is None else (self._closed(instrument, replaced, Verdict.CONFLATED, site),)

    def collect(self, number: int = -1) -> list[Answered]:
        """Everything that was answered, found late, or lost, since the last call; ``number`` is that of the next input, and
        each takes one. Costs half a microsecond where there is nothing."""
        settled: list[Answered] = []
        for answer in self.site.collect():
            settled.append(self._answered(answer, self.site, number + len(settled) if number >= 0 else -1))
        now = _mono()
        if self._leaving or now >= self._check_at:
            self._tend(now, settled, number)
        if not self._blocks:
            for site in (self.site, *self._leaving) if self._leaving else (self.site,):
                if site.pending:
                    self._close_overdue(site, settled, number)
        return settled

    def predict(self, instrument: int, *, started: int) -> Prediction:
        """Ask and wait. For backtests: the market waits as well."""
        settled = list(self.submit(instrument, started=started))
        while not settled:
            self.site.await_answer(_LOOKS, _NAP_MS)
            settled = self.collect()
        answered = settled[-1]
        self.batch, self.batch_size = answered.batch, answered.batch_size
        return answered.prediction

    def arm(self) -> bool:
        """Let the next answer ring ``site.done``; True where one is there already."""
        return bool(self.site.pending) and self.site.listen(0)

    def drain(self, seconds: float, number: int = -1) -> list[Answered]:
        """What is still answered within that time, as ``collect`` has it; the rest stays ``pending``."""
        limit = time.monotonic() + seconds
        settled: list[Answered] = []
        while True:
            settled += self.collect(number if number < 0 else number + len(settled))
            if not self.pending or time.monotonic() > limit:
                return settled
            self.site.await_answer(_LOOKS, _NAP_MS)

    def swap(self, site: Site) -> None:
        """From the next row on, ``site`` answers; what the one before was asked it still answers."""
        self._leaving.append(self.site)
        self.site = site
        self._look_at_windows_of(site.bundle)

    def close(self) -> None:
        """Stop the workers; may be called twice."""
        for site in (self.site, *self._leaving):
            site.close()
        for closing in self._closing:
            closing.join()

    def _close_overdue(self, site: Site, settled: list[Answered], number: int) -> None:
        pending = site.pending
        now = self._monotonic()
        while pending:
            key = next(iter(pending))  # the oldest
            request = pending[key]
            if now - request.started <= self._deadline:
                break
            del pending[key]
            settled.append(self._closed(key[0], request, Verdict.LATE, site, number + len(settled) if number >= 0 else -1))

    def _wait_for_worker(self) -> int:
        """Where the market waits as well, for a worker that is started again; returns how long that took, ns of the session's
        monotonic clock, which is no lateness of the model's."""
        before = self._monotonic()
        limit = time.monotonic() + _WORKER_S
        while not self.site.available and time.monotonic() < limit:
            self.site.check(_mono())
            time.sleep(0.002)
        return self._monotonic() - before

    def _tend(self, now: int, settled: list[Answered], number: int) -> None:
        """Watch over the workers, and settle what was lost with one."""
        self._check_at = now + _CHECK_NS
        for site in (self.site, *self._leaving):
            lost = site.check(now)
            for answer in site.collect():
                settled.append(self._answered(answer, site, number + len(settled) if number >= 0 else -1))
            for key in lost:
                request = site.pending.pop(key, None)
                if request is not None:
                    verdict = self._failure(f"lost its worker ({site.staff.first_death})")
                    settled.append(self._closed(key[0], request, verdict, site, number + len(settled) if number >= 0 else -1))
        for site in [site for site in self._leaving if not site.pending]:
            self._leaving.remove(site)
            self._deaths.update(site.staff.deaths)
            self._dropped += site.dropped
            closing = threading.Thread(
                target=site.close, name=f"end of {site.bundle.name}", daemon=True
            )  # workers take a while
            self._closing.append(closing)
            closing.start()

    def _answered(self, answer: Answer, site: Site, arrived: int) -> Answered:
        self.calls += 1
        outputs: tuple[float, ...] = ()
        status = answer.status
        if status == b.ANSWERED:
            verdict, outputs = _OK, answer.outputs
        elif status == b.OVERRUN:
            verdict = Verdict.OVERRUN
        elif status == b.NOT_FINITE:
            verdict = self._failure("answered a number that is not finite")
        else:
            verdict = self._failure(site.failure)
        request = answer.request
        prediction = self._predicted(answer.instrument, request, verdict, outputs, site=site, arrived=arrived)
        return Answered(prediction, answer.batch, answer.batch_size, request.started)

    def _closed(self, instrument: int, request: Request, verdict: Verdict, site: Site, arrived: int = -1) -> Answered:
        return Answered(self._predicted(instrument, request, verdict, (), site=site, arrived=arrived), -1, 0, request.started)

    def _predicted(
        self, instrument: int, request: Request, verdict: Verdict, outputs: tuple[float, ...], *, site: Site, arrived: int
    ) -> Prediction:
        return self._judge(
            instrument,
            request.words,
            outputs,
            verdict=verdict,
            started=request.started,
            backlog=request.backlog,
            model_hash=site.bundle.hash,
            arrived=arrived,
        )
