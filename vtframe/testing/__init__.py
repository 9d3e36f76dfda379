"""The conformance kit: the laws that a part must keep, as plain functions, and what is needed to apply them."""

from vtframe.testing.codec_case import CodecCase
from vtframe.testing.codec_laws import (
    CODEC_CHECKS,
    CodecCheck,
    check_broken_messages_are_refused,
    check_codec_bounded_memory,
    check_codec_leaves_bytes,
    check_messages_do_not_leak,
    check_numbers_are_exact,
    check_other_messages_append_nothing,
    check_records_are_well_formed,
    check_same_bytes_same_records,
    check_update_ids_are_carried,
)
from vtframe.testing.feature_laws import (
    FEATURE_CHECKS,
    FeatureCheck,
    check_batch_equals_stream,
    check_fills_its_cells,
    check_never_infinite,
    check_never_revises_the_past,
    check_python_equals_compiled,
    check_reset_equals_new,
    check_same_events_same_bits,
    check_snapshot_and_restore,
    check_warm_after_warmup,
)
from vtframe.testing.feature_manners import (
    check_bounded_memory,
    check_input_untouched,
    check_no_ambient_time_or_randomness,
    check_writes_only_its_cells,
)
from vtframe.testing.market import SmallMarket, small_market
from vtframe.testing.trial import FeatureFactory
from vtframe.testing.verdict import LawBroken

__all__ = [
    "CODEC_CHECKS",
    "FEATURE_CHECKS",
    "CodecCase",
    "CodecCheck",
    "FeatureCheck",
    "FeatureFactory",
    "LawBroken",
    "SmallMarket",
    "check_batch_equals_stream",
    "check_bounded_memory",
    "check_broken_messages_are_refused",
    "check_codec_bounded_memory",
    "check_codec_leaves_bytes",
    "check_fills_its_cells",
    "check_input_untouched",
    "check_messages_do_not_leak",
    "check_never_infinite",
    "check_never_revises_the_past",
    "check_no_ambient_time_or_randomness",
    "check_numbers_are_exact",
    "check_other_messages_append_nothing",
    "check_python_equals_compiled",
    "check_records_are_well_formed",
    "check_reset_equals_new",
    "check_same_bytes_same_records",
    "check_same_events_same_bits",
    "check_snapshot_and_restore",
    "check_update_ids_are_carried",
    "check_warm_after_warmup",
    "check_writes_only_its_cells",
    "small_market",
]
