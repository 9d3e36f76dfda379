"""A configuration file to a Config and every fault that can be seen without knowing the parts."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from vtframe.config.decode import decode_fields, decode_table
from vtframe.config.document import Document, Place, read_document
from vtframe.config.drift import DriftTable, drift_clashes
from vtframe.config.model_clashes import model_clashes
from vtframe.config.tables import Config, Lane, LaneTable, ModelTable, RecorderTable, RowsTable, SessionTable, Use
from vtframe.config.wording import found
from vtframe.errors import Fault, nearest
from vtframe.sampling import Sampling, clashes

S = TypeVar("S", bound=msgspec.Struct)

TABLES = ("vtframe", "feed", "sampling", "rows", "features", "models", "lanes", "risk", "drift", "sinks", "recorder")
"""Every top-level table."""

_EXAMPLES = {
    "feed": '[feed] with use = "...": where market data comes from',
    "features": '[[features]] with use = "...": what a row is made of',
    "models": '[[models]] with bundle = "...": the folder of a trained model',
    "lanes": '[[lanes]] with model = "..." and strategy = { use = "..." }',
    "risk": '[[risk]] with use = "...": the account gate lets nothing pass unchecked',
}
"""The tables that a session cannot do without, and what to write."""


def read_config(
    path: Path, *, overrides: Mapping[str, Any] | None = None, folder: Path | None = None
) -> tuple[Config, list[Fault]]:
    """Read ``path``; top-level tables in ``overrides`` (from the command line) take the place of the file's. Relative paths in
    it start from ``folder``, where a file is read away from its home.

    Raises ConfigError where the file is missing or not TOML; every other fault is in the list.
    """
    return _Reader(read_document(path, overrides=overrides, folder=folder)).read()


def in_order(faults: Iterable[Fault]) -> list[Fault]:
    """Faults as somebody reads the file: those without a line first."""
    return sorted(faults, key=lambda fault: fault.line or 0)


class _Reader:
    def __init__(self, document: Document) -> None:
        self._document = document
        self._faults: list[Fault] = []

    def read(self) -> tuple[Config, list[Fault]]:
        root, data = self._document.root, self._document.data
        for key in data:
            if key not in TABLES:
                hint = nearest(key, TABLES) or f"valid tables: {', '.join(TABLES)}"
                kind = "table" if isinstance(data[key], (dict, list)) else "key"
                self._faults.append(root.at(key).fault(f"found an unknown {kind}", hint))
        for name, example in _EXAMPLES.items():
            if name not in data or data[name] == []:
                bracketed = example.split(" with ")[0]
                self._faults.append(
                    Fault(file=str(self._document.path), table=bracketed, problem="missing", hint=f"write {example}")
                )
        config = Config(
            document=self._document,
            session=self._single("vtframe", SessionTable),
            feed=self._feed(),
            sampling=self._sampling(),
            rows=self._single("rows", RowsTable),
            features=self._uses("features"),
            models=self._models(),
            lanes=self._lanes(),
            risk=self._uses("risk"),
            drift=self._drift(),
            sinks=self._uses("sinks"),
            recorder=self._single("recorder", RecorderTable),
        )
        for key in ("plugins", "local"):
            self._refuse_repeats(root.at("vtframe", key), getattr(config.session, key))
        return config, in_order(self._faults)

    def _single(self, name: str, cls: type[S]) -> S:
        raw = self._document.data.get(name, {})
        if not isinstance(raw, dict):
            self._wrong_shape(self._document.root.at(name), raw, f"a table: [{name}]")
            return cls()
        return self._table(cls, raw, self._document.root.at(name))

    def _table(
        self,
        cls: type[S],
        raw: Mapping[str, Any],
        place: Place,
        *,
        required: Collection[str] = (),
        besides: Collection[str] = (),
    ) -> S:
        table, faults = decode_table(cls, raw, place, required=required, besides=besides)
        self._faults += faults
        return table

    def _array(self, name: str) -> list[tuple[Mapping[str, Any], Place]]:
        """The tables of ``[[name]]`` with their places; what is not a table is a fault and left out."""
        place = self._document.root.at(name)
        raw = self._document.data.get(name, [])
        if not isinstance(raw, list):
            self._wrong_shape(place, raw, f"an array of tables: [[{name}]]")
            return []
        return self._tables(raw, place)

    def _tables(self, raw: list[Any], place: Place) -> list[tuple[Mapping[str, Any], Place]]:
        good: list[tuple[Mapping[str, Any], Place]] = []
        for index, table in enumerate(raw):
            if isinstance(table, dict):
                good.append((table, place.at(index)))
            else:
                self._wrong_shape(place.at(index), table, "a table")
        return good

    def _use(self, raw: Mapping[str, Any], place: Place) -> Use | None:
        name = raw.get("use")
        if isinstance(name, str) and name:
            return Use(use=name, settings={key: value for key, value in raw.items() if key != "use"}, path=place.path)
        hint = "`vtframe plugins` lists the parts"
        if "use" in raw:
            self._faults.append(place.at("use").fault(f"found {found(name)}, expected the name of a part", hint))
        else:
            near = difflib.get_close_matches("use", raw, n=1)
            hint = f"is {near[0]!r} meant to be 'use'?" if near else hint
            self._faults.append(place.at("use").fault("missing; expected the name of a part", hint))
        return None

    def _uses(self, name: str) -> tuple[Use, ...]:
        uses = [self._use(raw, place) for raw, place in self._array(name)]
        return tuple(use for use in uses if use is not None)

    def _feed(self) -> Use | None:
        raw, place = self._document.data.get("feed"), self._document.root.at("feed")
        if raw is None:
            return None
        if not isinstance(raw, dict):
            self._wrong_shape(place, raw, "a table: [feed]")
            return None
        return self._use(raw, place)

    def _sampling(self) -> Sampling:
        raw, place = self._document.data.get("sampling", {}), self._document.root.at("sampling")
        if not isinstance(raw, dict):
            self._wrong_shape(place, raw, "a table: [sampling]")
            return Sampling()
        values, faults = decode_fields(Sampling, raw, place)
        if not faults:
            rule = {"every": "frame", "interval_ms": None, "leaders": False, **values}
            faults = [place.at(clash.key).fault(clash.problem, clash.hint) for clash in clashes(**rule)]
        self._faults += faults
        return Sampling() if faults else Sampling(**values)

    def _models(self) -> tuple[ModelTable, ...]:
        models: list[ModelTable] = []
        lines: dict[str, Place] = {}
        for raw, place in self._array("models"):
            model = self._table(ModelTable, raw, place, required=("bundle",))
            if not model.name and "name" not in raw and model.bundle:
                folder = Path(model.bundle).name
                model, faults = decode_table(ModelTable, {**raw, "name": folder}, place)
                if any(fault.key == "name" for fault in faults):
                    problem = f"the folder's name \"{folder}\" cannot be the model's"
                    self._faults.append(place.at("bundle").fault(problem, 'give the model a name = "..."'))
            self._faults += [place.at(clash.key).fault(clash.problem, clash.hint) for clash in model_clashes(model, raw)]
            self._claim(model.name, lines, place.at("name" if "name" in raw else "bundle"), "model")
            models.append(model)
        return tuple(models)

    def _drift(self) -> tuple[DriftTable, ...]:
        rules = []
        for raw, place in self._array("drift"):
            rule = self._table(DriftTable, raw, place, required=("model",))
            self._faults += [place.at(clash.key).fault(clash.problem, clash.hint) for clash in drift_clashes(rule, raw)]
            rules.append(rule)
        return tuple(rules)

    def _lanes(self) -> tuple[Lane, ...]:
        lanes = []
        ids: dict[str, Place] = {}
        parts = ("strategy", "execution", "limits")
        for number, (raw, place) in enumerate(self._array("lanes"), 1):
            table = self._table(LaneTable, raw, place, required=("model",), besides=parts)
            if not table.capital.is_finite() or table.capital <= 0:
                self._faults.append(
                    place.at("capital").fault(f"found {table.capital}, expected more than 0", "capital is in quote currency")
                )
            lane_id = table.id or f"lane{number}"
            self._claim(lane_id, ids, place.at("id"), "lane")
            limits = raw.get("limits", [])
            if not isinstance(limits, list):
                self._wrong_shape(place.at("limits"), limits, 'an array of tables: [{ use = "..." }]')
                limits = []
            uses = [self._use(limit, where) for limit, where in self._tables(limits, place.at("limits"))]
            lanes.append(
                Lane(
                    id=lane_id,
                    table=table,
                    strategy=self._inner_use(raw, place, "strategy", None),
                    execution=self._inner_use(raw, place, "execution", "paper"),
                    limits=tuple(use for use in uses if use is not None),
                    path=place.path,
                )
            )
        return tuple(lanes)

    def _inner_use(self, raw: Mapping[str, Any], place: Place, key: str, default: str | None) -> Use | None:
        """The part in an inline table of a lane."""
        if key not in raw:
            if default is None:
                self._faults.append(place.at(key).fault('missing; expected a table such as { use = "..." }'))
                return None
            return Use(use=default, path=(*place.path, key))
        value = raw[key]
        if not isinstance(value, dict):
            self._wrong_shape(place.at(key), value, 'a table such as { use = "..." }')
            return None
        return self._use(value, place.at(key))

    def _claim(self, name: str, taken: dict[str, Place], place: Place, kind: str) -> None:
        """Refuse a name that an earlier one has."""
        if not name:
            return
        if name in taken:
            first = taken[name].line
            self._faults.append(place.fault(f"found a second {kind} {name!r}, the first is on line {first}", "names differ"))
        else:
            taken[name] = place

    def _refuse_repeats(self, place: Place, names: tuple[str, ...]) -> None:
        for index, name in enumerate(names):
            if name in names[:index]:
                self._faults.append(place.at(index).fault(f"{name!r} is named twice"))

    def _wrong_shape(self, place: Place, value: Any, wanted: str) -> None:
        self._faults.append(place.fault(f"found {found(value)}, expected {wanted}"))
