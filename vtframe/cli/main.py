"""The command line. Commands are imported when they are called, so that ``vtframe --help`` answers at once."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from vtframe import __version__
from vtframe.cli.mishap import report_error, report_mishap
from vtframe.cli.plugin_commands import find_commands
from vtframe.errors import InvariantError, VtframeError

COMMANDS = {
    "run": ("vtframe.cli.run:run", "Run a session: market data in, risk-checked orders out, a report at the end."),
    "venue": ("vtframe.cli.venue:venue", "Run a venue on this machine that speaks Binance's protocols."),
    "check": ("vtframe.cli.check:check", "Check a configuration without trading; every fault at once."),
    "plugins": ("vtframe.cli.plugins:plugins", "List parts by kind, and plugins with what became of them."),
    "new": ("vtframe.cli.new:new", "Write a working, tested skeleton of a part into the current folder."),
    "record": ("vtframe.cli.record:record", "Record a configuration's feed: no model, no order."),
    "recording": ("vtframe.cli.recording:recording", "Look at recordings, check them, cut and merge them."),
    "report": ("vtframe.cli.report:report", "Show what a session did."),
    "features": ("vtframe.cli.features:features", "Make a data set of recordings: features, and labels where asked."),
    "parity": ("vtframe.cli.parity:parity", "Prove that a session's rows are what its inputs make, bit for bit."),
    "model": ("vtframe.cli.model:model", "Import, inspect, verify and measure model bundles."),
    "bench": ("vtframe.cli.bench:bench", "Measure how fast vtframe is on this machine."),
}
"""Command: where it is, and its help; help is here so that listing the commands imports none of them."""


class Shell(click.Group):
    """The commands in the box, then those of the plugins that ./vtframe.toml names."""

    debug = False

    def list_commands(self, ctx: click.Context) -> list[str]:
        own = [name for name, (target, _) in COMMANDS.items() if _is_there(target)]
        return own + sorted(name for name in find_commands().commands if name not in COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return find_commands().commands.get(cmd_name)
        target = COMMANDS[cmd_name][0]
        return _load(target) if _is_there(target) else None

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as e:
            near = difflib.get_close_matches(args[0], self.list_commands(ctx), n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            problems = "".join(f"\nA plugin may give it, but: {problem}" for problem in find_commands().problems)
            raise click.UsageError(f"{e.message}{hint}{problems}", ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        names = self.list_commands(ctx)
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in names if name in COMMANDS])
        found = find_commands()
        others = [(name, found.commands[name].get_short_help_str(90)) for name in names if name not in COMMANDS]
        if others:
            with formatter.section("Commands of plugins"):
                formatter.write_dl(others)
        for problem in found.problems:
            formatter.write_paragraph()
            formatter.write_text(f"Commands are missing: {problem}")

    def main(self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any) -> NoReturn:  # type: ignore[override]
        """Run and leave by SystemExit: 0, what the command returned, or the exit code of what went wrong."""
        extra["standalone_mode"] = False
        self.debug = False
        try:
            result = super().main(args, prog_name or "vtframe", **extra)
            code = result if type(result) is int else 0
        except click.Abort:  # Ctrl-C, or a question left unanswered
            click.echo("interrupted", err=True)
            code = 130
        except click.ClickException as e:
            e.show()
            code = 2 if isinstance(e, click.FileError) else e.exit_code
        except VtframeError as e:
            code = report_error(e)
        except Exception as e:  # noqa: BLE001 - the last resort: a short message, and the traceback where it can be sent from
            code = report_mishap(e, debug=self.debug)
        sys.exit(code)


def _is_there(target: str) -> bool:
    """Whether the module of a command is installed; a command that is not there breaks no other."""
    return importlib.util.find_spec(target.partition(":")[0]) is not None


def _load(target: str) -> click.Command:
    module, attribute = target.split(":")
    command = getattr(importlib.import_module(module), attribute, None)
    if not isinstance(command, click.Command):
        raise InvariantError(f"{target} is no command")
    return command


@click.group(cls=Shell, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="vtframe")
@click.option("--debug", is_flag=True, help="Show the traceback of an unexpected error.")
@click.pass_context
def cli(ctx: click.Context, *, debug: bool) -> None:
    """Frames in, risk-checked orders out, with proof that what runs live is what was trained.

    Exit codes: 0 done, 1 a check or run failed, 2 bad input or configuration, 3 halted by risk, 130 interrupted.
    """
    if isinstance(ctx.command, Shell):
        ctx.command.debug = debug


def main() -> NoReturn:
    """What the ``vtframe`` script calls."""
    cli.main()


if __name__ == "__main__":
    main()
