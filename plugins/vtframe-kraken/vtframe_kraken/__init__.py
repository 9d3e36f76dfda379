"""The plugin: hooks only. Loaded where ``[vtframe] plugins`` names "kraken"."""

from __future__ import annotations

from collections.abc import Sequence

from vtframe.api import Codec, hookimpl
from vtframe_kraken.codec import KrakenCodec


@hookimpl
def register_codecs() -> Sequence[type[Codec]]:
    return (KrakenCodec,)
