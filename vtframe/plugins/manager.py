"""The loaded plugins, questioned one at a time, so that whatever goes wrong names the plugin. Cold path only.

Nothing here raises for a broken plugin: it is left out, and ``errors`` says why, so that every fault is seen at once.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any, Literal, NamedTuple

import click
import pluggy

from vtframe.api import hooks
from vtframe.errors import PluginError, nearest
from vtframe.plugins.blame import cause
from vtframe.plugins.kinds import KINDS
from vtframe.plugins.local import nameless_parts, own_parts
from vtframe.plugins.registry import Entry, Registries

Origin = Literal["built-in", "installed", "local"]


class PluginStatus(NamedTuple):
    """One plugin: where it comes from, and what became of it."""

    name: str
    origin: Origin
    source: str  # a module, a distribution with its version, or a file
    installed: bool  # False where it was named and is not there
    named: bool  # built-in ones always are
    loaded: bool
    problem: str  # why it is broken; empty where it is not


class Answer(NamedTuple):
    """What one plugin's implementation of a hook returned, or how it failed."""

    plugin: str
    value: Any
    error: PluginError | None


class Plugins:
    """The loaded plugins, their parts, and everything that went wrong on the way."""

    def __init__(self) -> None:
        self.registries = Registries()
        self.commands: dict[str, tuple[click.Command, str]] = {}  # by name, each with its plugin
        self.errors: list[PluginError] = []
        self._manager = pluggy.PluginManager("vtframe")
        self._manager.add_hookspecs(hooks)
        self._status: dict[str, PluginStatus] = {}

    @property
    def status(self) -> list[PluginStatus]:
        """Every plugin that is built in, installed or named."""
        return list(self._status.values())

    @property
    def loaded(self) -> tuple[str, ...]:
        return tuple(status.name for status in self._status.values() if status.loaded)

    @property
    def parts(self) -> list[Entry]:
        """Every part of every kind."""
        return [entry for registry in self.registries for entry in registry]

    def raise_errors(self) -> None:
        """Raise the first error, where there is one."""
        if self.errors:
            raise self.errors[0]

    def call(self, hook: str, **arguments: Any) -> list[Answer]:
        """Call every plugin's implementation of ``hook``, in the order of loading; a failure is an answer like another."""
        answers = []
        for plugin in self.loaded:
            answers += self._call_one(plugin, hook, arguments)
        return answers

    def _call_one(self, plugin: str, hook: str, arguments: Mapping[str, Any]) -> list[Answer]:
        answers = []
        for implementation in getattr(self._manager.hook, hook).get_hookimpls():
            if implementation.plugin_name != plugin:
                continue
            try:
                value = implementation.function(*(arguments[name] for name in implementation.argnames))
            except (Exception, SystemExit) as e:  # noqa: BLE001 - a stranger's code: its error is reported in its name
                answers.append(Answer(plugin, None, PluginError(plugin, f"{hook} failed: {cause(e)}")))
            else:
                answers.append(Answer(plugin, value, None))
        return answers

    def add(self, name: str, origin: Origin, source: str, load: Callable[[], Any], *, installed: bool = True) -> None:
        """Load one plugin by calling ``load``, and take in its parts. Whatever is wrong goes to ``errors``."""
        if name in self._status:
            self.errors.append(PluginError(name, f"{self._status[name].source} and {source} are plugins of one name"))
            return
        status = PluginStatus(name, origin, source, installed=installed, named=True, loaded=True, problem="")
        try:
            module = load()
            self._register(module, name)
            self._status[name] = status
            found = self._collect(name, module if origin == "local" else None)
        except PluginError as e:
            self._break(status, [e])
        else:
            if found:
                self._break(status, found)

    def list_unnamed(self, name: str, source: str) -> None:
        """Note a plugin that is installed and was not asked for."""
        self._status[name] = PluginStatus(name, "installed", source, installed=True, named=False, loaded=False, problem="")
        for registry in self.registries:
            registry.unnamed = (*registry.unnamed, name)

    def _break(self, status: PluginStatus, errors: Sequence[PluginError]) -> None:
        name = status.name
        self.errors += errors
        if self._manager.has_plugin(name):
            self._manager.unregister(name=name)
        told = "; ".join(text for error in errors for text in (error.problem, error.hint) if text)
        self._status[name] = status._replace(loaded=False, problem=told)
        for registry in self.registries:
            registry.broken = (*registry.broken, name)

    def _register(self, module: Any, name: str) -> None:
        """Hand the plugin to pluggy and refuse hooks that would never be called."""
        specified = [hook for hook in vars(hooks) if hasattr(getattr(hooks, hook), "vtframe_spec")]
        for hook in specified:
            function = getattr(module, hook, None)
            if inspect.isroutine(function) and not hasattr(function, "vtframe_impl"):
                raise PluginError(name, f"{hook} is not marked @hookimpl, so it would never be called")
        try:
            self._manager.register(module, name)
        except pluggy.PluginValidationError as e:
            problem = " ".join(line.strip() for line in str(e).splitlines() if line.strip())
            raise PluginError(name, f"a hook does not fit: {problem}") from None
        except ValueError:
            raise PluginError(name, "is the same module as another plugin", "name it once") from None
        try:
            self._manager.check_pending()
        except pluggy.PluginValidationError:
            raise self._unknown_hooks(module, name, specified) from None

    def _unknown_hooks(self, module: Any, name: str, specified: Sequence[str]) -> PluginError:
        """The error for every hook of ``module`` that the specification does not have."""
        callers = self._manager.get_hookcallers(module) or []
        required = [caller for caller in callers if not all(found.optionalhook for found in caller.get_hookimpls())]
        unknown = [caller.name for caller in required if not caller.has_spec()]
        near = [hint for hook in unknown if (hint := nearest(hook, specified))]
        hint = " and ".join(near) or f"hooks: {', '.join(sorted(specified))}"
        return PluginError(name, f"there is no hook {' or '.join(repr(hook) for hook in unknown)}", hint)

    def _collect(self, plugin: str, local: ModuleType | None) -> list[PluginError]:
        """Take in what the plugin's register hooks return; for a local file without hooks, the parts that it defines."""
        errors: list[PluginError] = []
        count = 0
        for registry, kind in zip(self.registries, KINDS, strict=True):
            answers = self._call_one(plugin, kind.hook, {})
            if local is not None and not answers:
                answers = [Answer(plugin, own_parts(local, kind), None)]
            for part in self._items(answers, kind.hook, errors):
                count += 1
                try:
                    registry.add(part, plugin)
                except PluginError as e:
                    errors.append(e)
        for command in self._items(self._call_one(plugin, "register_commands", {}), "register_commands", errors):
            count += 1
            self._add_command(command, plugin, errors)
        if local is not None and not count and not errors and not self._manager.get_hookcallers(local):
            nameless = nameless_parts(local)
            hint = f'give {nameless[0]} a name = "..."' if nameless else "extend a class of vtframe.api, or write hooks"
            errors.append(PluginError(plugin, "defines no part and no hook", hint))
        return errors

    def _items(self, answers: Sequence[Answer], hook: str, errors: list[PluginError]) -> list[Any]:
        items: list[Any] = []
        for answer in answers:
            if answer.error is not None:
                errors.append(answer.error)
            elif isinstance(answer.value, (list, tuple)):
                items += answer.value
            else:
                errors.append(PluginError(answer.plugin, f"{hook} returned {answer.value!r}, expected a list"))
        return items

    def _add_command(self, command: Any, plugin: str, errors: list[PluginError]) -> None:
        if not isinstance(command, click.Command) or not command.name:
            errors.append(PluginError(plugin, f"register_commands returned {command!r}, expected click commands with names"))
        elif command.name in self.commands:
            first = self.commands[command.name][1]
            errors.append(PluginError(plugin, f"command {command.name!r} is given by plugin {first!r} too"))
        else:
            self.commands[command.name] = (command, plugin)
