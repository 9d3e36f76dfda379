"""The parts by kind and name, each with the plugin that gave it. A name belongs to one plugin."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from vtframe.api.execution import ExecutionAdapter
from vtframe.api.feature import Feature
from vtframe.api.model import ModelBackend
from vtframe.api.risk import RiskPolicy
from vtframe.api.sink import Sink
from vtframe.api.source import Codec, Feed
from vtframe.api.strategy import Strategy
from vtframe.errors import ConfigError, Fault, PluginError, nearest
from vtframe.plugins.kinds import (
    CODEC,
    EXECUTION_ADAPTER,
    FEATURE,
    FEED,
    KINDS,
    MODEL_BACKEND,
    RISK_POLICY,
    SINK,
    STRATEGY,
    Kind,
)

T = TypeVar("T")

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_ABBREVIATED = ("e.g.", "i.e.", "et al.", "cf.", "eq.", "fig.", "vol.", "no.", "p.", "pp.")
_SENTENCE = re.compile(
    r"(?<=[.!?])(?<!\b(?-i:[A-Z])\.)" + "".join(rf"(?<!\b{re.escape(word)})" for word in _ABBREVIATED) + r"\s+(?=\S)",
    re.IGNORECASE,
)
"""Between two sentences; initials and the commonest abbreviations end none."""


class Entry(NamedTuple):
    """One registered part."""

    kind: str
    name: str
    cls: type[Any]
    plugin: str

    @property
    def summary(self) -> str:
        """The first sentence of its docstring, on one line; empty where it has none of its own."""
        text = inspect.getdoc(self.cls) if "__doc__" in vars(self.cls) and self.cls.__doc__ else ""
        paragraphs = (text or "").strip().split("\n\n")
        while len(paragraphs) > 1 and paragraphs[0][-1] not in ".!?:" and paragraphs[1][:1].isspace():  # a formula set apart
            paragraphs[:2] = [f"{paragraphs[0]} {paragraphs[1].strip()}"]
        return _SENTENCE.split(" ".join(paragraphs[0].split()), maxsplit=1)[0].rstrip(" :")


class Registry(Generic[T]):
    """The parts of one kind."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.unnamed: tuple[str, ...] = ()  # plugins that are installed and not named, for hints
        self.broken: tuple[str, ...] = ()  # plugins that were named and could not be loaded, likewise
        self._entries: dict[str, Entry] = {}

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def __len__(self) -> int:
        return len(self._entries)

    def names(self) -> list[str]:
        return sorted(self._entries)

    def classes(self) -> dict[str, type[T]]:
        """Every class by name."""
        return {name: entry.cls for name, entry in self._entries.items()}

    def get(self, name: str) -> type[T]:
        """The class called ``name``; raises ConfigError with the nearest name, and where else it might come from."""
        entry = self._entries.get(name)
        if entry is not None:
            return entry.cls
        there = f"there are: {', '.join(self.names())}" if self._entries else f"no plugin gives a {self.kind.name}"
        hint = nearest(name, self._entries) or there
        if self.unnamed:
            hint += f"; installed but not named in [vtframe] plugins: {', '.join(self.unnamed)}"
        if self.broken:
            hint += f"; broken plugins: {', '.join(self.broken)}"
        raise ConfigError(Fault(problem=f"no {self.kind.name} {name!r}", hint=hint))

    def add(self, cls: Any, plugin: str) -> None:
        """Register what a plugin's hook returned; raises PluginError where it is no proper part, or its name is taken."""
        self._check(cls, plugin)
        taken = self._entries.get(cls.name)
        if taken is not None:
            whom = "twice by itself" if taken.plugin == plugin else f"by plugin {taken.plugin!r} too"
            raise PluginError(plugin, f"{self.kind.name} {cls.name!r} is given {whom}", "a name belongs to one part")
        self._entries[cls.name] = Entry(self.kind.name, cls.name, cls, plugin)

    def _check(self, cls: Any, plugin: str) -> None:
        kind = self.kind
        if not isinstance(cls, type):
            hint = "return the class, not an instance" if isinstance(cls, kind.cls) else ""
            raise PluginError(plugin, f"{kind.hook} returned {cls!r}, expected {kind.cls.__name__} classes", hint)
        if not issubclass(cls, kind.cls):
            right = next((other.hook for other in KINDS if issubclass(cls, other.cls)), "")
            hint = f"{right} is its hook" if right else f"extend vtframe.api.{kind.cls.__name__}"
            raise PluginError(plugin, f"{kind.hook} returned {cls.__qualname__}, which is no {kind.cls.__name__}", hint)
        label = f"{kind.name} class {cls.__qualname__}"
        name = inspect.getattr_static(cls, "name", None)
        struct: Any = cls
        if "name" in struct.__struct_fields__:
            raise PluginError(plugin, f"{label} has `name` as a setting", 'write name = "..." without a type')
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            found = "no name" if name is None else f"the name {name!r}"
            raise PluginError(plugin, f"{label} has {found}", 'write name = "..." in small letters, digits and underscores')
        base = kind.cls
        missing = [what for what in kind.required if getattr(cls, what, None) is getattr(base, what, None)]
        if missing:
            raise PluginError(plugin, f"{label} does not define {', '.join(missing)}", f"see vtframe.api.{base.__name__}")
        try:
            msgspec.inspect.type_info(cls)
        except Exception as e:  # noqa: BLE001 - whatever an annotation raises when it is looked up
            problem = f"{label}: the type of a setting cannot be read: {type(e).__name__}: {e}"
            raise PluginError(plugin, problem, "import the names of types at run time, not under TYPE_CHECKING") from None


class Registries:
    """One registry per kind."""

    def __init__(self) -> None:
        self.feeds: Registry[Feed] = Registry(FEED)
        self.codecs: Registry[Codec] = Registry(CODEC)
        self.features: Registry[Feature] = Registry(FEATURE)
        self.model_backends: Registry[ModelBackend] = Registry(MODEL_BACKEND)
        self.strategies: Registry[Strategy] = Registry(STRATEGY)
        self.risk_policies: Registry[RiskPolicy] = Registry(RISK_POLICY)
        self.execution_adapters: Registry[ExecutionAdapter] = Registry(EXECUTION_ADAPTER)
        self.sinks: Registry[Sink] = Registry(SINK)

    def __iter__(self) -> Iterator[Registry[Any]]:
        yield from (self.feeds, self.codecs, self.features, self.model_backends)
        yield from (self.strategies, self.risk_policies, self.execution_adapters, self.sinks)
