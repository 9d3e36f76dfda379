"""The plugin: hooks only. Loaded where ``[vtframe] plugins`` names "bybit"."""

from __future__ import annotations

from collections.abc import Sequence

from vtframe.api import Codec, hookimpl
from vtframe_bybit.codec import BybitCodec


@hookimpl
def register_codecs() -> Sequence[type[Codec]]:
    return (BybitCodec,)
