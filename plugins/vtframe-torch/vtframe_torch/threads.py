"""torch has one thread count a process: models that are open at the same time must agree on it."""

from __future__ import annotations

from vtframe.api import BundleError


class ThreadCount:
    """A model's claim on torch's threads, until it is released. Raises BundleError where another model claims other ones."""

    claims: int = 0
    count: int = 0

    def __init__(self, count: int, where: str) -> None:
        import torch  # noqa: PLC0415 - heavy

        cls = type(self)
        if cls.claims and cls.count != count:
            problem = f"is to run with {count} thread(s), and a model with {cls.count} is open in this process"
            raise BundleError(where, problem, "torch has one count a process: give both the same, or run one elsewhere")
        torch.set_num_threads(count)
        cls.claims += 1
        cls.count = count
        self._held = True

    def release(self) -> None:
        """May be called twice."""
        if self._held:
            self._held = False
            type(self).claims -= 1
