"""A sidecar says of a recording what its lines do not, survives a round trip, and is refused with every fault at once."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtframe.domain import Instrument, InstrumentKind
from vtframe.errors import ConfigError, RecordingError
from vtframe.wire import Sidecar, load_sidecar, sidecar_path, write_sidecar

_NAME = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=12)
_FRACTION = st.decimals(Decimal("-0.01"), Decimal("0.01"), places=6)


@st.composite
def _instruments(draw: st.DrawFn) -> Instrument:
    return Instrument(
        venue=draw(_NAME),
        symbol=draw(_NAME),
        kind=draw(st.sampled_from(InstrumentKind)),
        base=draw(_NAME),
        quote=draw(_NAME),
        settlement=draw(_NAME),
        price_decimals=draw(st.integers(0, 18)),
        quantity_decimals=draw(st.integers(0, 18)),
        tick_size=draw(st.integers(1, 10**18)),
        lot_size=draw(st.integers(1, 10**18)),
        multiplier=draw(st.decimals(Decimal("0.001"), 10_000, places=3)),
        minimum_notional=draw(st.decimals(0, 1_000, places=2)),
        maker_fee=draw(_FRACTION),
        taker_fee=draw(_FRACTION),
    )


_SIDECARS = st.builds(
    Sidecar,
    codec=_NAME,
    time_unit=st.sampled_from(["ns", "us", "ms", "s"]),
    instruments=st.lists(_instruments(), min_size=1, max_size=3, unique_by=lambda i: i.instrument_id).map(tuple),
    connections=st.lists(_NAME, max_size=2).map(tuple),
    after=st.just("") | _NAME,
    lines=st.integers(-1, 10**12),
    snapshots=st.integers(-1, 10**6),
    made_by=st.just("vtframe 1.2.3"),
)


@given(sidecar=_SIDECARS)
def test_what_is_written_is_what_is_read(tmp_path_factory: pytest.TempPathFactory, sidecar: Sidecar) -> None:
    path = tmp_path_factory.mktemp("sidecar") / "r.gz.toml"
    write_sidecar(path, sidecar)
    assert load_sidecar(path) == sidecar
    assert [p.name for p in path.parent.iterdir()] == ["r.gz.toml"]  # nothing temporary is left


GOOD = """
format_version = 1
venue = "binance_usdm"
codec = "binance"
time_unit = "us"
after = "earlier.gz"

[[instruments]]
venue = "binance_usdm"
symbol = "BTCUSDT"
kind = "linear"
base = "BTC"
quote = "USDT"
settlement = "USDT"
tick_size = "0.1"
lot_size = "0.001"
"""


def _load(tmp_path: Path, text: str) -> Sidecar:
    path = tmp_path / "r.gz.toml"
    path.write_text(text, "utf-8")
    return load_sidecar(path)


def test_a_sidecar_can_be_written_by_hand_in_human_units(tmp_path: Path) -> None:
    sidecar = _load(tmp_path, GOOD)
    (instrument,) = sidecar.instruments
    assert (sidecar.time_unit, sidecar.after, sidecar.venue, sidecar.lines) == ("us", "earlier.gz", "binance_usdm", -1)
    assert (instrument.price_decimals, instrument.tick_size) == (1, 1)
    assert (instrument.quantity_decimals, instrument.lot_size) == (3, 1)
    finer = _load(tmp_path, GOOD + "price_decimals = 2\n").instruments[0]
    assert (finer.price_decimals, finer.tick_size) == (2, 10)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("format_version = 1", "format_version = 2", "format_version: found 2, this vtframe reads version 1"),
        ("format_version = 1", "", "format_version: found None"),
        ("format_version = 1", "format_version = true", "format_version: found True"),
        ('codec = "binance"', "", "codec: missing"),
        ('codec = "binance"', "codec = 3", "codec: found 3, expected a string"),
        ('time_unit = "us"', 'time_unit = "min"', "time_unit: found 'min', expected one of ns, us, ms, s"),
        ('time_unit = "us"', 'time_units = "us"', "time_units: unknown key; did you mean 'time_unit'?"),
        ('venue = "binance_usdm"\ncodec', 'venue = "binance_spot"\ncodec', "venue: found 'binance_spot', but the instruments"),
        ('tick_size = "0.1"', "tick_size = 0.1", "tick_size: found 0.1, expected a decimal as a string"),
        ('tick_size = "0.1"', 'tick_size = "nan"', "tick_size: found 'nan', expected a decimal"),
        ('tick_size = "0.1"', 'tick_size = "-1"', "tick_size: found '-1', expected a positive number"),
        ('tick_size = "0.1"', 'tick_size = "0.1"\nprice_decimals = 0', "0.1 has more decimals than price_decimals = 0"),
        (
            'tick_size = "0.1"',
            'tick_size = "0.1"\nprice_decimals = 19',
            "price_decimals: found 19, expected a whole number from 0",
        ),
        ('tick_size = "0.1"', "", "tick_size: missing"),
        ('tick_size = "0.1"', 'tick_sise = "0.1"', "tick_sise: unknown key; did you mean 'tick_size'?"),
        ('kind = "linear"', 'kind = "future"', "kind: found 'future', expected one of spot, linear, inverse"),
        ('lot_size = "0.001"', 'lot_size = "0.001"\nmultiplier = "0"', "multiplier: found '0', expected a positive number"),
        ("[[instruments]]", "[instruments]", "expected one [[instruments]] table or more"),
        ('after = "earlier.gz"', "connections = 3", "connections: found 3, expected an array of strings"),
        ('after = "earlier.gz"', 'lines = "many"', "lines: found 'many', expected a whole number"),
        ("[[instruments]]", "[[", "not TOML"),
    ],
)
def test_a_fault_is_named_with_its_key_and_what_was_expected(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(ConfigError) as e:
        _load(tmp_path, GOOD.replace(old, new, 1))
    assert said in str(e.value)
    assert str(tmp_path / "r.gz.toml") in str(e.value)


def test_every_fault_is_reported_at_once(tmp_path: Path) -> None:
    text = GOOD.replace('"us"', '"min"').replace('kind = "linear"', 'kind = "x"').replace('lot_size = "0.001"', "loot_size = 1")
    with pytest.raises(ConfigError) as e:
        _load(tmp_path, text)
    assert {fault.key for fault in e.value.faults} == {"time_unit", "kind", "loot_size", "lot_size"}
    assert {fault.table for fault in e.value.faults if fault.key != "time_unit"} == {"[[instruments]] 1"}


def test_an_instrument_that_stands_twice_is_refused(tmp_path: Path) -> None:
    table = GOOD[GOOD.index("[[") :]
    with pytest.raises(ConfigError, match="BTCUSDT@binance_usdm stands in it twice"):
        _load(tmp_path, GOOD + table)


def test_a_sidecar_that_cannot_be_written_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sidecar = _load(tmp_path, GOOD)
    path = tmp_path / "r.gz.toml"

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", refuse)
    with pytest.raises(RecordingError, match=r"cannot be written: No space left"):
        write_sidecar(path, sidecar)
    assert path.read_text("utf-8") == GOOD
    assert [p.name for p in tmp_path.iterdir()] == ["r.gz.toml"]


def test_numbers_are_written_as_people_write_them(tmp_path: Path) -> None:
    path = sidecar_path(tmp_path / "r.gz")
    write_sidecar(path, _load(tmp_path, GOOD + 'taker_fee = "0.00050"\n'))
    (table,) = tomllib.loads(path.read_text("utf-8"))["instruments"]
    assert (table["tick_size"], table["lot_size"], table["taker_fee"]) == ("0.1", "0.001", "0.0005")
