"""The plugin: hooks only. Loaded where ``[vtframe] plugins`` names "okx"."""

from __future__ import annotations

from collections.abc import Sequence

from vtframe.api import Codec, hookimpl
from vtframe_okx.codec import OkxCodec


@hookimpl
def register_codecs() -> Sequence[type[Codec]]:
    return (OkxCodec,)
