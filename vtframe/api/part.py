"""What every part of a pipeline is: a class with a ``name``, whose fields are its TOML keys."""

from __future__ import annotations

from typing import ClassVar

import msgspec


class Part(msgspec.Struct, kw_only=True, dict=True):
    """One configured part. Declare settings as annotated fields (``msgspec.Meta`` for bounds); keep run-time state in
    attributes that ``start`` or ``open`` sets. A part is made once per use in the configuration, and imports anything heavy
    only when it is opened."""

    name: ClassVar[str]
