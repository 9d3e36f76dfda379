"""Recordings are played whole, in order and in their own time, and refused before they start where they cannot be."""

from __future__ import annotations

import asyncio
import gzip
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from binance_files import BTC_SPOT, BTC_USDM, FILES, PAIRS, File, opened

from vtframe.api import BrokenRecordingError, Codec, ConfigError, FeedContext, RecordingError
from vtframe.builtin.binance.codec import BinanceCodec
from vtframe.builtin.recorded import ahead
from vtframe.builtin.recorded.feed import RecordedFeed
from vtframe.builtin.recorded.identity import identify
from vtframe.clock import EventClock
from vtframe.domain import Instrument, Records
from vtframe.errors import DecodeError
from vtframe.wire import Sidecar, sidecar_path, write_sidecar

START = 1_723_161_256_172_216_566
CODECS: dict[str, type[Codec]] = {"binance": BinanceCodec}


class Listener:
    """A FeedSink that keeps what it gets, and can want to stop."""

    def __init__(self, *, stop_after: int = -1) -> None:
        self.messages: list[tuple[int, bytes]] = []
        self.damage: list[tuple[str, str]] = []
        self._stop_after = stop_after

    @property
    def stopping(self) -> bool:
        return len(self.messages) == self._stop_after

    def on_message(self, data: bytes, ts_recv: int, *, connection: int = 0) -> None:
        self.messages.append((ts_recv, data))

    def on_damage(self, where: str, problem: str) -> None:
        self.damage.append((where, problem))


def _context(folder: Path, codecs: dict[str, type[Codec]] | None = None) -> FeedContext:
    return FeedContext(codecs=codecs or CODECS, folder=folder, clock=EventClock())


def _opened(folder: Path, *names: str, codecs: dict[str, type[Codec]] | None = None, **settings: Any) -> RecordedFeed:
    feed = RecordedFeed(paths=names, **settings)
    feed.open(_context(folder, codecs))
    return feed


def _play(feed: RecordedFeed, listener: Listener | None = None) -> Listener:
    listener = listener or Listener()
    asyncio.run(feed.run(listener))  # type: ignore[arg-type]
    return listener


def _depth(number: int, *, symbol: str = "BTCUSDT") -> bytes:
    return b'{"e":"depthUpdate","E":1723161257440,"s":"%s","U":%d,"u":%d,"b":[["1.10","2"]],"a":[]}' % (
        symbol.encode(),
        number,
        number,
    )


SNAPSHOT = b'{"lastUpdateId":1,"bids":[["1.10","2"]],"asks":[["1.20","2"]]}'


def _file(path: Path, messages: Sequence[bytes], *, start: int = START, gap: int = 1_000_000) -> Path:
    path.write_bytes(gzip.compress(b"".join(b"%d %b\n" % (start + n * gap, data) for n, data in enumerate(messages))))
    return path


@pytest.mark.parametrize("pair", PAIRS, ids=["spot", "usdm_2024", "coinm", "usdm_2023"])
def test_recorded_pairs_are_played_whole_and_in_order(recorded: Path, pair: tuple[File, ...]) -> None:
    feed = RecordedFeed(paths=tuple(file.name for file in pair))
    instruments = feed.open(_context(recorded))
    assert [(i.venue, i.symbol) for i in instruments] == [(pair[0].venue, pair[0].symbol)]
    assert isinstance(feed.codec(), BinanceCodec)
    heard = _play(feed)
    assert heard.damage == []
    assert len(heard.messages) == sum(file.lines for file in pair)
    times = [ts for ts, _ in heard.messages]
    assert times == sorted(times)
    assert 1_680_652_700 * 10**9 <= times[0] < times[-1] < 1_723_162_000 * 10**9
    assert feed.position() == f"{recorded / pair[-1].name}:{pair[-1].lines}"


@pytest.mark.parametrize("file", [FILES[1], FILES[4], FILES[6]], ids=["spot", "coinm", "usdm"])
def test_a_file_without_its_snapshot_is_refused_before_it_starts(recorded: Path, file: File) -> None:
    with pytest.raises(RecordingError, match="but no snapshot: its book can never be built; play it after the file") as e:
        _opened(recorded, file.name)
    assert file.name in str(e.value)


def test_files_in_the_wrong_order_are_refused_with_both_names(recorded: Path) -> None:
    with pytest.raises(RecordingError) as e:
        _opened(recorded, FILES[1].name, FILES[0].name)
    assert FILES[0].name in str(e.value)
    assert FILES[1].name in str(e.value)
    assert "2024-08-08 23:54:13" in str(e.value)


def test_files_that_overlap_are_refused_where_the_second_begins(tmp_path: Path) -> None:
    _file(tmp_path / "a", [SNAPSHOT, *map(_depth, range(2, 50))], gap=10**9)
    _file(tmp_path / "b", [_depth(50)], start=START + 5 * 10**9)
    with pytest.raises(RecordingError, match=r"b: begins at 2024-08-08 23:54:21.* before .*a ends"):
        _opened(tmp_path, "a", "b")


def _mixed(path: Path, at: int) -> Path:
    """A file whose unit changes at line ``at``."""
    lines = [b"%d %b" % (START + n, _depth(n)) for n in range(2, at)] + [b"%d %b" % (START // 1_000_000, _depth(at))]
    path.write_bytes(gzip.compress(b"\n".join([b"%d %b" % (START, SNAPSHOT), *lines]) + b"\n"))
    return path


def test_a_time_unit_that_changes_far_behind_the_beginning_is_refused_before_the_session(tmp_path: Path) -> None:
    _mixed(tmp_path / "a", 3_000)
    with pytest.raises(RecordingError, match=r"mixed time units: line 3000 \(1723161256172\) is in ms, line 1 is in ns") as e:
        _opened(tmp_path, "a")
    assert e.value.exit_code == 2


@pytest.mark.parametrize("fault", ["unit", "overlap"])
def test_what_stands_too_far_behind_to_be_seen_before_is_a_failed_run_and_not_bad_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setattr(ahead, "AHEAD", 1_000)
    if fault == "unit":
        _mixed(tmp_path / "a", 3_000)
        names = ["a"]
    else:
        _file(tmp_path / "a", [SNAPSHOT, *map(_depth, range(2, 1_500))], gap=10**7)
        _file(tmp_path / "b", [_depth(1_500)], start=START + 10**9)
        names = ["a", "b"]
    feed, heard = _opened(tmp_path, *names), Listener()
    with pytest.raises(BrokenRecordingError, match="found while it was played") as e:
        _play(feed, heard)
    assert e.value.exit_code == 1
    assert len(heard.messages) == (2_999 if fault == "unit" else 1_499)


def test_a_look_names_every_file_that_cannot_be_read_and_reads_none_to_its_end(tmp_path: Path) -> None:
    _mixed(tmp_path / "a", 3_000)
    (tmp_path / "empty").write_bytes(b"")
    feed = RecordedFeed(paths=("a", "missing", "empty"))
    with pytest.raises(ConfigError) as e:
        feed.look(_context(tmp_path))
    assert [fault.key for fault in e.value.faults] == ["paths", "paths"]
    assert f"{tmp_path / 'missing'}: " in e.value.faults[0].problem
    assert f"{tmp_path / 'empty'}: " in e.value.faults[1].problem
    assert RecordedFeed(paths=("a",)).look(_context(tmp_path)) == (BTC_SPOT,)


def test_a_clock_set_back_a_little_between_files_is_held_and_told(tmp_path: Path) -> None:
    _file(tmp_path / "a", [SNAPSHOT, _depth(2)], gap=500_000_000)
    _file(tmp_path / "b", [_depth(3), _depth(4)], start=START + 400_000_000, gap=50_000_000)
    heard = _play(_opened(tmp_path, "a", "b"))
    assert [ts - START for ts, _ in heard.messages] == [0, 500_000_000, 500_000_000, 500_000_000]
    ((where, problem),) = heard.damage
    assert where == f"{tmp_path / 'b'}:1"
    assert problem.startswith("time goes back: by 100000000 ns from the end of ")


def test_damage_is_told_with_file_and_line_and_playing_goes_on(tmp_path: Path) -> None:
    lines = [b"%d %b" % (START + n, data) for n, data in enumerate([SNAPSHOT, _depth(2), b"{broken", _depth(3)])]
    packed = gzip.compress(b"\n".join([*lines[:2], b"no time", *lines[2:], b""]))
    (tmp_path / "a.gz").write_bytes(packed[:-9])  # torn in its sum
    feed = _opened(tmp_path, "a.gz")
    places = []

    class Asking(Listener):
        def on_message(self, data: bytes, ts_recv: int, *, connection: int = 0) -> None:
            places.append(feed.position())

    heard = _play(feed, Asking())
    path = tmp_path / "a.gz"
    assert places == [f"{path}:{n}" for n in (1, 2, 4, 5)]  # where the broken message was is known
    assert [(where, problem.split(":")[0]) for where, problem in heard.damage] == [
        (f"{path}:3", "line without a timestamp"),
        (f"{path}:6", "gzip cut short"),
    ]


def test_a_sink_that_stops_ends_the_run_at_once(recorded: Path) -> None:
    heard = _play(_opened(recorded, FILES[0].name), Listener(stop_after=700))
    assert len(heard.messages) == 700


def test_real_time_keeps_the_recordings_gaps(tmp_path: Path) -> None:
    _file(tmp_path / "a", [SNAPSHOT, *map(_depth, range(2, 6))], gap=40_000_000)
    began = time.perf_counter()
    heard = _play(_opened(tmp_path, "a", speed=2.0))
    assert time.perf_counter() - began >= 0.08  # four gaps of 40 ms at twice the pace
    assert len(heard.messages) == 5


def test_waiting_in_real_time_is_interrupted_by_a_stop(tmp_path: Path) -> None:
    _file(tmp_path / "a", [SNAPSHOT, _depth(2)], gap=3_600 * 10**9)
    heard = _play(_opened(tmp_path, "a", speed=1.0), Listener(stop_after=1))
    assert len(heard.messages) == 1


def test_other_tasks_run_while_a_recording_is_played(recorded: Path) -> None:
    feed = _opened(recorded, FILES[0].name)
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def both() -> None:
        counting = asyncio.create_task(count())
        await feed.run(Listener())  # type: ignore[arg-type]
        counting.cancel()

    asyncio.run(both())
    assert turns > 100


def test_a_sidecar_says_what_the_frames_do_not(tmp_path: Path) -> None:
    path = _file(tmp_path / "a", [SNAPSHOT, _depth(2, symbol="ODDUSDT")])
    with pytest.raises(RecordingError, match=r"leave in doubt what they are of .*vtframe recording describe"):
        _opened(tmp_path, "a")
    assert BTC_SPOT is not None
    odd = Instrument(**{name: getattr(BTC_SPOT, name) for name in BTC_SPOT.__struct_fields__} | {"symbol": "ODDUSDT"})
    write_sidecar(sidecar_path(path), Sidecar(codec="binance", time_unit="ns", instruments=(odd,), lines=2, snapshots=1))
    feed = RecordedFeed(paths=("a",))
    assert tuple(feed.open(_context(tmp_path))) == (odd,)
    assert feed.total() == 2
    assert len(_play(feed).messages) == 2


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            {"instruments": (BTC_USDM,)},
            "messages is of BTCUSDT@binance_usdm; they are of BTCUSDT@binance_spot; describe it anew",
        ),
        ({"codec": "binanse"}, "no codec 'binanse'; did you mean 'binance'?"),
        ({"time_unit": "us"}, "said to be in us, which makes it"),
        ({"after": "earlier.gz"}, "has no snapshot of its own and continues earlier.gz; play earlier.gz directly before it"),
    ],
)
def test_a_sidecar_that_the_file_contradicts_is_refused(tmp_path: Path, change: dict[str, Any], problem: str) -> None:
    path = _file(tmp_path / "a", [SNAPSHOT, _depth(2)])
    said: dict[str, Any] = {"codec": "binance", "time_unit": "ns", "instruments": (BTC_SPOT,)} | change
    write_sidecar(sidecar_path(path), Sidecar(**said))
    with pytest.raises(RecordingError) as e:
        _opened(tmp_path, "a")
    assert problem in str(e.value)


def test_a_sidecar_of_a_venue_that_its_codec_does_not_read_is_refused(tmp_path: Path) -> None:
    path = _file(tmp_path / "a", [SNAPSHOT, _depth(2)])
    assert BTC_SPOT is not None
    wrong = Instrument(**{name: getattr(BTC_SPOT, name) for name in BTC_SPOT.__struct_fields__} | {"venue": "binance_sport"})
    write_sidecar(sidecar_path(path), Sidecar(codec="binance", time_unit="ns", instruments=(wrong,)))
    with pytest.raises(RecordingError, match="does not read the venue 'binance_sport'; did you mean 'binance_spot'"):
        _opened(tmp_path, "a")


class Impostor(BinanceCodec):
    """Recognizes everything that Binance's codec does."""

    name = "impostor"


class Other(Codec):
    """Recognizes nothing."""

    name = "other"

    def open(self, instruments: object) -> None:
        raise AssertionError("asked to read what it did not recognize")

    def decode(self, data: bytes, records: Records) -> str:
        raise DecodeError("not mine")


def test_exactly_one_codec_must_recognize_a_file(tmp_path: Path) -> None:
    _file(tmp_path / "a", [SNAPSHOT, _depth(2)])
    with pytest.raises(RecordingError, match="recognized by 2 codecs: binance, impostor; name one with `codec`"):
        _opened(tmp_path, "a", codecs={**CODECS, "impostor": Impostor})
    assert isinstance(_opened(tmp_path, "a", codecs={**CODECS, "impostor": Impostor}, codec_name="impostor").codec(), Impostor)
    assert isinstance(_opened(tmp_path, "a", codecs={"other": Other, **CODECS}).codec(), BinanceCodec)
    with pytest.raises(RecordingError, match=r"leave in doubt .* \(asked: other\)"):
        _opened(tmp_path, "a", codecs={"other": Other})
    with pytest.raises(RecordingError, match="no codec 'bynance'; did you mean 'binance'"):
        _opened(tmp_path, "a", codec_name="bynance")


def test_the_codecs_settings_pass_through_the_feed(tmp_path: Path) -> None:
    _file(tmp_path / "a", [SNAPSHOT, _depth(2)])
    codec = _opened(tmp_path, "a", codec_settings={"trades": "aggTrade"}).codec()
    assert isinstance(codec, BinanceCodec)
    assert codec.trades == "aggTrade"
    with pytest.raises(ConfigError, match="codec_settings: Invalid enum value 'both'"):
        _opened(tmp_path, "a", codec_settings={"trades": "both"})


def test_a_wrong_unit_an_empty_list_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    _file(tmp_path / "a", [SNAPSHOT, _depth(2)])
    with pytest.raises(RecordingError, match="said to be in ms"):
        _opened(tmp_path, "a", time_unit="ms")
    with pytest.raises(ConfigError, match="paths: no recording is named"):
        _opened(tmp_path)
    with pytest.raises(RecordingError, match="missing: no such file"):
        _opened(tmp_path, "missing")
    with pytest.raises(RecordingError, match="named twice in a row"):
        _opened(tmp_path, "a", "a")


def test_the_unit_is_confirmed_by_the_venues_times(tmp_path: Path) -> None:
    _file(tmp_path / "a", [SNAPSHOT, _depth(2)], start=START + 400 * 86_400 * 10**9)
    with pytest.raises(RecordingError, match="but the venue's own times in the frames are 399 days, 23:59:58"):
        _opened(tmp_path, "a")
    assert identify(tmp_path / "a", CODECS, time_unit="ns").unit == "ns"  # whoever states it is believed


def test_files_of_one_instrument_must_agree_on_its_units(tmp_path: Path) -> None:
    _file(tmp_path / "a", [SNAPSHOT, _depth(2)])
    second = _file(tmp_path / "b", [_depth(3)], start=START + 10**9)
    assert BTC_SPOT is not None
    other = Instrument(**{name: getattr(BTC_SPOT, name) for name in BTC_SPOT.__struct_fields__} | {"tick_size": 2})
    write_sidecar(sidecar_path(second), Sidecar(codec="binance", time_unit="ns", instruments=(other,)))
    with pytest.raises(RecordingError, match=r"b: BTCUSDT@binance_spot has other units than in .*a"):
        _opened(tmp_path, "a", "b")


def test_one_session_may_hold_several_markets(tmp_path: Path) -> None:
    futures = b'{"e":"depthUpdate","E":1723161257440,"T":1723161257440,"s":"BTCUSDT","U":2,"u":3,"pu":1,"b":[],"a":[]}'
    snapshot = b'{"lastUpdateId":2,"E":1723161257440,"T":1723161257440,"bids":[["1.1","2"]],"asks":[]}'
    _file(tmp_path / "a", [SNAPSHOT, _depth(2)])
    _file(tmp_path / "b", [snapshot, futures], start=START + 10**9)
    feed = RecordedFeed(paths=("a", "b"))
    instruments = feed.open(_context(tmp_path))
    assert [i.venue for i in instruments] == ["binance_spot", "binance_usdm"]
    codec = opened(*instruments)
    records = Records()
    for _, data in _play(feed).messages:
        codec.decode(data, records)
    assert records.frames["instrument"][:4].tolist() == [0, 0, 1, 1]
    _file(tmp_path / "b", [futures], start=START + 10**9)
    with pytest.raises(RecordingError, match="b: depth updates of BTCUSDT@binance_usdm, but no snapshot"):
        _opened(tmp_path, "a", "b")
