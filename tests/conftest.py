"""Fixtures that every area uses."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return _ROOT


@pytest.fixture(scope="session")
def data() -> Path:
    """Recorded market data: ``$VTFRAME_DATA``, else ``../shared/data`` beside the repository."""
    folder = Path(os.environ.get("VTFRAME_DATA", _ROOT.parent / "shared" / "data"))
    if not (folder / "binance").is_dir():
        pytest.skip(f"no recorded data in {folder}; set VTFRAME_DATA")
    return folder


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """In CI nothing may be skipped: the script that calls us installs and provides what tests need."""
    skipped = terminalreporter.stats.get("skipped", [])
    if os.environ.get("CI") and skipped:
        terminalreporter.write_line(f"{len(skipped)} skipped in CI: provide what they need in .ci/run", red=True)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and reporter is not None and reporter.stats.get("skipped") and session.exitstatus == 0:
        session.exitstatus = 1
