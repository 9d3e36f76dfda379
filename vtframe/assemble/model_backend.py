"""How a configured model's bundle is opened: by its backend, with the settings that its table gives, or compiled."""

from __future__ import annotations

import msgspec

from vtframe.api import BundleInfo, Model, ModelBackend, calibrated
from vtframe.builtin.ensemble.backend import knowing
from vtframe.config import ModelTable
from vtframe.errors import ConfigError, Fault
from vtframe.inference.fused import open_fused
from vtframe.plugins import Registry


def make_backend(bundle: BundleInfo, table: ModelTable, backends: Registry[ModelBackend]) -> ModelBackend:
    """Raises ConfigError where no plugin gives the backend or it does not take the settings; a look at the configuration
    (``examine``) has told either with its place before."""
    cls = backends.get(bundle.backend)
    try:
        return knowing(msgspec.convert(table.backend, cls), backends.classes().values())
    except msgspec.ValidationError as e:
        raise ConfigError(Fault(table="[[models]]", key="backend", problem=f"of model {table.name!r}: {e}")) from None


def open_model(bundle: BundleInfo, table: ModelTable, backends: Registry[ModelBackend]) -> Model:
    """The model as its table runs it, but called from Python: for checks, and for asking it again.

    Raises BundleError, and ConfigError as ``make_backend``.
    """
    backend = make_backend(bundle, table, backends)
    return calibrated(open_fused(bundle, backend), bundle) if table.where == "fused" else backend.open(bundle)
