"""Makes docs/images/run.svg, the summary of a real session. Run it in the repository: python docs/run_picture.py"""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI

from vtframe.assemble.session import Wishes, assemble
from vtframe.cli.summary import summary

ROOT = Path(__file__).resolve().parent.parent

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        session = assemble(ROOT / "market.toml", Wishes(folder=Path(folder) / "session")).session
        report = session.run().report
    console = Console(record=True, width=96, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(summary(report))
    console.save_svg(str(ROOT / "docs" / "images" / "run.svg"), title="vtframe run", theme=MONOKAI)
