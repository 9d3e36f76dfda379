"""What a hostile venue makes of a message: never without bound, the same for the same dice, and untrue only where it may be."""

from __future__ import annotations

from typing import Any

import pytest

from vtframe.builtin.binance.execution.reports import kind_of, read_report
from vtframe.builtin.binance.execution.tracker import Tracker
from vtframe.builtin.binance.known import SPOT, known_instrument
from vtframe.builtin.binance.reference import BinanceReferenceCodec
from vtframe.domain import OrderType, Records, Side, SubmitOrder, TimeInForce
from vtframe.errors import DecodeError
from vtframe.venue.damage import Dice, more_fragments, mutate, nest, spoil_frame
from vtframe.venue.fault import ActiveFault, Fault
from vtframe.venue.frame import frame

REPORT = (
    b'{"e":"executionReport","E":1723161600001,"s":"BTCUSDT","c":"vt-7","S":"BUY","o":"LIMIT","f":"GTC","q":"0.01000000",'
    b'"p":"61800.10000000","C":"","x":"TRADE","X":"PARTIALLY_FILLED","r":"NONE","i":4711,"l":"0.00400000","z":"0.00400000",'
    b'"L":"61800.10000000","n":"0.00000400","N":"BTC","T":1723161600001,"t":99,"m":false}'
)
SIZE = 2 << 20
BTCUSDT = known_instrument(SPOT, "BTCUSDT")
assert BTCUSDT is not None


def dice(seed: int) -> Dice:
    return ActiveFault(1, Fault(kind="mutate"), seed).pick


@pytest.mark.parametrize("seed", range(300))
def test_a_mutation_is_bounded_and_the_same_for_the_same_dice(seed: int) -> None:
    for text in (REPORT, b"", b"{}", b"[[[]]]", b"\xff" * 20, b"[" + b"1," * 200_000 + b"1]"):
        first = mutate(text, dice(seed))
        assert first == mutate(text, dice(seed))
        assert len(first) < len(text) + 3 * SIZE


def test_mutations_damage_nearly_every_message_each_in_its_own_way() -> None:
    found = [mutate(REPORT, dice(seed)) for seed in range(500)]
    assert sum(one != REPORT for one in found) > 450
    assert len(set(found)) > 350


def told(report: bytes) -> list[tuple[str, object, object]]:
    """What the adapter's tracker makes of a report on an order: kinds of events with prices and quantities."""
    events: list[Any] = []
    tracker = Tracker(events.append, lambda _: BTCUSDT)
    order = SubmitOrder(
        client_order_id="vt-7",
        instrument=0,
        side=Side.BUY,
        quantity=1_000_000,
        order_type=OrderType.LIMIT,
        price=6_180_010,
        time_in_force=TimeInForce.GTC,
        lane="one",
    )
    tracker.sent(order, sent_ns=0, deadline_ms=0)
    try:
        read = read_report(kind_of(report), report)
        if read is not None:
            tracker.report(read, 0)
    except DecodeError:
        return []
    return [(type(one).__name__, getattr(one, "price", None), getattr(one, "quantity", None)) for one in events]


def test_without_lies_a_report_says_what_is_so_or_less() -> None:
    truth = told(REPORT)
    assert [name for name, _, _ in truth] == ["OrderFilled"]
    heard = [told(mutate(REPORT, dice(seed), lies=False)) for seed in range(2_000)]
    assert all(one in ([], truth, [("OrderAccepted", None, None)]) for one in heard)
    assert 100 < sum(one == truth for one in heard) < 1_000


def test_with_lies_some_reports_are_not_true() -> None:
    truth = told(REPORT)
    assert any(told(mutate(REPORT, dice(seed))) not in ([], truth) for seed in range(1_000))


@pytest.mark.parametrize("seed", range(200))
def test_whatever_a_codec_is_given_it_reads_or_refuses(seed: int) -> None:
    instruments, messages = BinanceReferenceCodec.examples()
    codec = BinanceReferenceCodec()
    codec.open(instruments)
    pick = dice(seed)
    for message in messages:
        records = Records()
        for text in (mutate(message, pick), nest(5_000, pick)):
            records.clear()
            try:
                codec.decode(text, records)
            except DecodeError:
                assert records.n_frames == 0


@pytest.mark.parametrize("damage", ["opcode", "reserved", "length", "masked", "control", "fragment", "fragments"])
def test_a_bad_frame_is_none_that_a_server_may_send(damage: Any) -> None:
    for seed in range(20):
        assert spoil_frame(REPORT, damage, dice(seed)) != frame(REPORT)


def test_fragments_come_in_batches_of_bounded_size() -> None:
    sizes = [len(more_fragments(dice(seed))) for seed in range(50)]
    assert max(sizes) < 1 << 16
    assert min(sizes) > 1 << 14


def test_the_dice_are_those_of_the_fault() -> None:
    faults = [ActiveFault(number, Fault(kind="nest", seed=seed), 7) for number, seed in ((1, 1), (1, 2), (2, 1))]
    assert len({tuple(one.pick(1000) for _ in range(5)) for one in faults}) == 3
