"""The conformance kit: the laws that a part must keep, as plain functions, and what is needed to apply them."""

from vtframe.testing.feature_laws import (
    FEATURE_CHECKS,
    FeatureCheck,
    FeatureFactory,
    LawBroken,
    check_batch_equals_stream,
    check_fills_its_cells,
    check_never_revises_the_past,
    check_python_equals_compiled,
    check_reset_equals_new,
    check_same_events_same_bits,
    check_warm_after_warmup,
)
from vtframe.testing.market import SmallMarket, small_market

__all__ = [
    "FEATURE_CHECKS",
    "FeatureCheck",
    "FeatureFactory",
    "LawBroken",
    "SmallMarket",
    "check_batch_equals_stream",
    "check_fills_its_cells",
    "check_never_revises_the_past",
    "check_python_equals_compiled",
    "check_reset_equals_new",
    "check_same_events_same_bits",
    "check_warm_after_warmup",
    "small_market",
]
