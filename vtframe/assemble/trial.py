"""What only trying tells: whether the kernels compile, the models open, and the recordings are what they should be.

For ``vtframe check``. Needs no network, trades nothing, and leaves nothing behind but compiled kernels in their cache.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from vtframe.api import Feature, FeedContext
from vtframe.assemble.check import Examined, check_lane_instruments
from vtframe.assemble.drift import drift_warnings
from vtframe.assemble.live_lanes import check_live_instruments
from vtframe.assemble.model_backend import open_model
from vtframe.clock import EventClock
from vtframe.config import Place, in_order
from vtframe.domain import Instrument
from vtframe.errors import ConfigError, Fault, InputError, KernelError, VtframeError, nearest
from vtframe.features.fuse import fuse
from vtframe.features.inputs import unmet
from vtframe.features.plan import Asked, plan
from vtframe.features.python_calls import slow
from vtframe.inference.schema import strangers
from vtframe.kernels import announcing
from vtframe.kernels.cache import KernelCache


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """What was found. A configuration is fit to run only where neither it nor ``Examined`` has a fault."""

    faults: tuple[Fault, ...]
    instruments: tuple[str, ...]  # as far as the feed can tell without a network
    warnings: tuple[str, ...]  # nothing that stops a session


def try_out(examined: Examined, announce: Callable[[str], None]) -> Trial:
    """Open what ``examined`` found no fault in, and close it again; ``announce`` is told what takes long."""
    faults: list[Fault] = []
    with announcing(announce):
        instruments = _look_at_feed(examined, announce, faults)
        _compile(examined, faults)
        _open_models(examined, faults)
    names = tuple(instrument.instrument_id for instrument in instruments)
    if names:
        _check_leaders(examined, names, faults)
        check_lane_instruments(examined.config, names, faults)
        if examined.parts is not None:
            check_live_instruments(examined.config, examined.parts, instruments, faults)
    told = [f"line {place.line}: {words}" for one, place in examined.features if (words := slow(one.feature, one.kernel))]
    return Trial(faults=tuple(in_order(faults)), instruments=names, warnings=(*told, *warnings(examined, names)))


def warnings(examined: Examined, instruments: Sequence[str]) -> list[str]:
    """What a person should know before a session on ``instruments`` starts, and what stops nothing."""
    told = []
    for name, bundle in examined.bundles.items():
        unknown = strangers(bundle, instruments)
        if unknown:
            trained = ", ".join(bundle.instruments)
            told.append(f"model {name!r} was trained on {trained}, and decides about {', '.join(unknown)} all the same")
    return told + drift_warnings(examined.config, examined.bundles)


def _look_at_feed(examined: Examined, announce: Callable[[str], None], faults: list[Fault]) -> Sequence[Instrument]:
    if examined.parts is None:
        return ()
    feed, config = examined.parts.feed, examined.config
    place = config.place("feed")
    codecs = examined.plugins.registries.codecs.classes()
    try:
        return feed.look(FeedContext(codecs=codecs, folder=config.folder, clock=EventClock(), announce=announce))
    except ConfigError as e:
        faults += [place.complete(fault) for fault in e.faults]
    except InputError as e:
        faults.append((place.at("paths") if hasattr(feed, "paths") else place).fault(f"{e.where}: {e.problem}", e.hint))
    except Exception as e:  # noqa: BLE001 - somebody else's feed may raise anything; it is that feed's fault, and is told
        faults.append(place.fault(_blamed(f"feed {type(feed).name!r}: look()", e)))
    return ()


def _compile(examined: Examined, faults: list[Fault]) -> None:
    """Compile the pipeline, or take it from the cache. Where a feature does not compile, the others are tried without it."""
    config, left = examined.config, list(examined.features)
    while left := _fed(left):
        try:
            fuse(plan([one.feature for one, _ in left]), config.sampling, config.rows.dtype, KernelCache())
        except KernelError as e:
            broken = [(one.feature, place) for one, place in left if one.feature.label == e.feature]
            faults += [place.fault(str(e)) for _, place in broken] or [Fault(problem=str(e))]
            left = [(one, place) for one, place in left if one.feature.label != e.feature] if broken else []
        else:
            return


def _fed(features: list[tuple[Asked, Place]]) -> list[tuple[Asked, Place]]:
    """Those whose inputs are all there; what became of the others' is told elsewhere."""
    while missing := unmet([one.columns for one, _ in features], [one.kernel.inputs for one, _ in features]):
        hungry = {fault.feature for fault in missing}
        features = [pair for k, pair in enumerate(features) if k not in hungry]
    return features


def _open_models(examined: Examined, faults: list[Fault]) -> None:
    backends = examined.plugins.registries.model_backends
    for index, table in enumerate(examined.config.models):
        bundle = examined.bundles.get(table.name)
        if bundle is None or bundle.backend not in backends.names():  # a fault already
            continue
        place = examined.config.place("models", index, "bundle")
        try:
            open_model(bundle, table, backends).close()
        except InputError as e:
            faults.append(place.fault(f"{e.where}: {e.problem}", e.hint))
        except VtframeError as e:
            faults.append(place.fault(str(e)))
        except Exception as e:  # noqa: BLE001 - a backend's library may raise anything; it is told, and the others are tried
            faults.append(place.fault(_blamed(f"backend {bundle.backend!r} cannot open {bundle.path}", e)))


def _check_leaders(examined: Examined, instruments: Sequence[str], faults: list[Fault]) -> None:
    for one, place in examined.features:
        feature: Feature = one.feature
        if feature.instrument and feature.instrument not in instruments:
            hint = nearest(feature.instrument, instruments) or f"it has {', '.join(instruments[:10])}"
            faults.append(place.at("instrument").fault(f"the session has no instrument {feature.instrument!r}", hint))


def _blamed(what: str, error: Exception) -> str:
    return f"{what} failed: {type(error).__name__}: {error}"
