"""The plugin: hooks only. Loaded where ``[vtframe] plugins`` names "coinbase"."""

from __future__ import annotations

from collections.abc import Sequence

from vtframe.api import Codec, hookimpl
from vtframe_coinbase.codec import CoinbaseCodec


@hookimpl
def register_codecs() -> Sequence[type[Codec]]:
    return (CoinbaseCodec,)
