"""Enters Binance through the hooks."""

from __future__ import annotations

from collections.abc import Sequence

from vtframe.api import Codec, ExecutionAdapter, Feed, hookimpl
from vtframe.builtin.binance.codec import BinanceCodec
from vtframe.builtin.binance.execution.adapter import BinanceAdapter
from vtframe.builtin.binance.feed import BinanceFeed
from vtframe.builtin.binance.reference import BinanceReferenceCodec


@hookimpl
def register_codecs() -> Sequence[type[Codec]]:
    return (BinanceCodec, BinanceReferenceCodec)


@hookimpl
def register_feeds() -> Sequence[type[Feed]]:
    return (BinanceFeed,)


@hookimpl
def register_execution_adapters() -> Sequence[type[ExecutionAdapter]]:
    return (BinanceAdapter,)
