"""The backend that opens a configured model's bundle, with the settings that its table gives."""

from __future__ import annotations

import msgspec

from vtframe.api import BundleInfo, ModelBackend
from vtframe.config import ModelTable
from vtframe.errors import ConfigError, Fault
from vtframe.plugins import Registry


def make_backend(bundle: BundleInfo, table: ModelTable, backends: Registry[ModelBackend]) -> ModelBackend:
    """Raises ConfigError where no plugin gives the backend or it does not take the settings; a look at the configuration
    (``examine``) has told either with its place before."""
    cls = backends.get(bundle.backend)
    try:
        return msgspec.convert(table.backend, cls)
    except msgspec.ValidationError as e:
        raise ConfigError(Fault(table="[[models]]", key="backend", problem=f"of model {table.name!r}: {e}")) from None
