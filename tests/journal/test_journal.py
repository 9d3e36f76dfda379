"""The journal: what is written is read back; a cut loses only the torn record; nothing damaged is ever taken for whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vtframe.domain import (
    CancelOrder,
    Denied,
    LiquiditySide,
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderLost,
    OrderRejected,
    OrderType,
    Prediction,
    Side,
    SubmitOrder,
    Verdict,
)
from vtframe.errors import JournalError
from vtframe.journal import JournalReader, JournalWriter
from vtframe.journal.records import (
    CancelSent,
    Checkpoint,
    DenialsRepeated,
    InputArrived,
    IntentFormed,
    OrderApproved,
    OrderDenied,
    OrderEventArrived,
    OrderReported,
    Record,
    SessionStarted,
    SessionStopped,
)
from vtframe.journal.segment import HEADER_BYTES

int64 = st.integers(-(2**63), 2**63 - 1)
text = st.text(max_size=20)
floats = st.floats(allow_nan=False, width=32)
order = st.builds(
    SubmitOrder,
    client_order_id=text,
    lane=text,
    instrument=st.integers(0, 500),
    side=st.sampled_from(Side),
    order_type=st.sampled_from(OrderType),
    quantity=int64,
    price=st.none() | int64,
    cause=text,
)
prediction = st.builds(
    Prediction,
    model=text,
    model_hash=text,
    instrument=st.integers(0, 500),
    input=int64,
    row=int64,
    update_id=int64,
    ts_event=int64,
    ts_recv=int64,
    ts_done=int64,
    age_ns=int64,
    deadline_ns=int64,
    verdict=st.sampled_from(Verdict),
    outputs=st.tuples(floats, floats, floats),
)
event = st.one_of(
    st.builds(OrderAccepted, client_order_id=text, ts_event=int64, venue_order_id=text),
    st.builds(OrderRejected, client_order_id=text, ts_event=int64, reason=text),
    st.builds(
        OrderFilled,
        client_order_id=text,
        ts_event=int64,
        price=int64,
        quantity=int64,
        leaves_quantity=int64,
        liquidity_side=st.sampled_from(LiquiditySide),
        fee=text,
        fee_currency=text,
    ),
    st.builds(OrderLost, client_order_id=text, ts_event=int64, reason=text),
    st.builds(OrderCanceled, client_order_id=text, ts_event=int64),
    st.builds(OrderExpired, client_order_id=text, ts_event=int64),
)
record = st.one_of(
    st.builds(
        SessionStarted,
        session_id=text,
        vtframe_version=text,
        ts=int64,
        config=text,
        instruments=st.just(({"venue": "v", "multiplier": "1"},)),
        lanes=st.tuples(text),
        models=st.dictionaries(text, text, max_size=2),
        columns=st.tuples(text, text),
        schema_hash=text,
        fingerprint=text,
    ),
    st.builds(InputArrived, number=int64, kind=st.integers(1, 8), ts=int64, text=text),
    st.builds(
        IntentFormed,
        lane=text,
        instrument=text,
        input=int64,
        ts=int64,
        target=int64,
        position=int64,
        cause=text,
        edge_bps=st.none() | floats,
        prediction=st.none() | prediction,
        row=st.tuples(floats, floats),
    ),
    st.builds(OrderApproved, order=order, instrument=text, asked_quantity=int64, notes=st.tuples(text)),
    st.builds(
        OrderDenied,
        order=order,
        instrument=text,
        denied=st.builds(Denied, client_order_id=text, policy=text, reason=text),
    ),
    st.builds(
        DenialsRepeated,
        lane=text,
        instrument=text,
        policy=text,
        side=st.sampled_from(Side),
        cause=text,
        count=int64,
        first_input=int64,
        last_input=int64,
        ended=st.booleans(),
    ),
    st.builds(CancelSent, command=st.builds(CancelOrder, client_order_id=text, ts_created=int64, cause=text)),
    st.builds(OrderReported, lane=text, input=int64, event=event, fee=text, fee_currency=text, position=int64),
    st.builds(OrderEventArrived, number=int64, ts=int64, lane=text, event=event),
    st.builds(Checkpoint, input=int64, ts=int64, report=st.dictionaries(text, st.none() | int64 | text, max_size=3)),
    st.builds(SessionStopped, ts=int64, reason=text),
)
many = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def write(folder: Path, records: list[Record], *, segment_bytes: int = 1 << 20) -> None:
    writer = JournalWriter(folder, session_id="s-1", segment_bytes=segment_bytes)
    for one in records:
        writer.write(one)
    writer.close()


def some(n: int) -> list[Record]:
    return [InputArrived(number=i, kind=4, ts=i * 1000, text="x" * (i % 7)) for i in range(n)]


def ends(path: Path) -> list[int]:
    """Where each whole record ends, by walking the lengths only: an independent reading of the format."""
    data = path.read_bytes()
    at, found = HEADER_BYTES, []
    while at < len(data):
        at += 12 + int.from_bytes(data[at : at + 4], "little")
        found.append(at)
    return found


@many
@given(records=st.lists(record, max_size=12), segment_bytes=st.sampled_from([200, 1000, 1 << 20]))
def test_what_is_written_is_read_back_in_order(tmp_path_factory, records, segment_bytes) -> None:
    folder = tmp_path_factory.mktemp("journal")
    write(folder, records, segment_bytes=segment_bytes)
    reader = JournalReader(folder)
    assert list(reader) == records
    assert reader.torn is None
    assert reader.session_id == "s-1"


@many
@given(records=st.lists(record, min_size=1, max_size=6), data=st.data())
def test_a_cut_at_any_byte_leaves_exactly_the_whole_records_before_it(tmp_path_factory, records, data) -> None:
    folder = tmp_path_factory.mktemp("journal")
    write(folder, records)
    path = folder / "000001.vtj"
    cut = data.draw(st.integers(0, path.stat().st_size))
    whole = [end for end in ends(path) if end <= cut]
    os.truncate(path, cut)
    reader = JournalReader(folder)
    assert list(reader) == records[: len(whole)]
    end = whole[-1] if whole else (HEADER_BYTES if cut >= HEADER_BYTES else 0)
    if cut in {end, HEADER_BYTES} and cut:
        assert reader.torn is None
    else:
        assert reader.torn is not None
        assert (reader.torn.file, reader.torn.offset, reader.torn.dropped) == (path, end, cut - end)


def test_every_flipped_byte_is_noticed(tmp_path) -> None:
    """Every byte of every segment, in three ways: never a silent difference."""
    records = some(12)
    write(tmp_path, records, segment_bytes=300)
    paths = sorted(tmp_path.glob("*.vtj"))
    assert len(paths) > 2
    silent = []
    for path in paths:
        original = path.read_bytes()
        for at in range(len(original)):
            for mask in (1, 0x80, 0xFF):
                damaged = bytearray(original)
                damaged[at] ^= mask
                path.write_bytes(damaged)
                reader = JournalReader(tmp_path)
                try:
                    found = list(reader)
                except JournalError as e:
                    noticed = str(path) in str(e)
                else:  # only the very last record may be cut, and then it is said
                    noticed = reader.torn is not None and found == records[:-1] and path == paths[-1]
                if not noticed:
                    silent.append((path.name, at, mask))
        path.write_bytes(original)
    assert silent == []
    assert list(JournalReader(tmp_path)) == records


def test_damage_in_the_middle_is_an_error_that_names_file_and_offset(tmp_path) -> None:
    write(tmp_path, some(5))
    path = tmp_path / "000001.vtj"
    second = ends(path)[0]
    data = bytearray(path.read_bytes())
    data[second + 14] ^= 0x40
    path.write_bytes(data)
    reader = JournalReader(tmp_path)
    seen = []
    with pytest.raises(JournalError, match=rf"000001\.vtj at byte {second}: a record does not match its checksum"):
        seen.extend(iter(reader))
    with pytest.raises(JournalError):
        JournalWriter(tmp_path, session_id="s-1")
    assert path.read_bytes() == data  # and a damaged journal is not touched


def test_a_tail_of_zeros_is_torn_and_not_damage(tmp_path) -> None:
    write(tmp_path, some(3))
    path = tmp_path / "000001.vtj"
    size = path.stat().st_size
    os.truncate(path, size + 500)
    reader = JournalReader(tmp_path)
    assert list(reader) == some(3)
    assert reader.torn is not None
    assert reader.torn.dropped == 500
    assert str(reader.torn) == f"{path}: torn tail cut at byte {size} (500 bytes dropped)"


def test_a_segment_torn_before_the_last_one_is_an_error(tmp_path) -> None:
    write(tmp_path, some(12), segment_bytes=300)
    path = tmp_path / "000002.vtj"
    os.truncate(path, path.stat().st_size - 1)
    with pytest.raises(JournalError, match=r"000002\.vtj at byte .*and more segments follow"):
        list(JournalReader(tmp_path))


@pytest.mark.parametrize("number", [1, 2])
def test_a_missing_segment_is_named(tmp_path, number) -> None:
    write(tmp_path, some(12), segment_bytes=300)
    (tmp_path / f"{number:06d}.vtj").unlink()
    with pytest.raises(JournalError, match=rf"segment {number:06d}\.vtj is missing"):
        JournalReader(tmp_path)


def test_swapped_segments_and_strangers_are_named(tmp_path) -> None:
    write(tmp_path, some(12), segment_bytes=300)
    one, two = tmp_path / "000001.vtj", tmp_path / "000002.vtj"
    first, second = one.read_bytes(), two.read_bytes()
    two.write_bytes(first)
    with pytest.raises(JournalError, match=r"says that it is segment 000001\.vtj"):
        list(JournalReader(tmp_path))
    two.write_bytes(second)
    other = tmp_path / "other"
    writer = JournalWriter(other, session_id="s-2", segment_bytes=300)
    for one_record in some(12):
        writer.write(one_record)
    writer.close()
    two.write_bytes((other / "000002.vtj").read_bytes())
    with pytest.raises(JournalError, match="belongs to session 's-2'"):
        list(JournalReader(tmp_path))


def test_other_files_and_other_versions_are_refused_with_a_clear_message(tmp_path) -> None:
    path = tmp_path / "000001.vtj"
    path.write_bytes(b"%PDF-1.7 and so on")
    with pytest.raises(JournalError, match="is not a journal segment"):
        list(JournalReader(tmp_path))
    path.unlink()
    write(tmp_path, some(2))
    data = bytearray(path.read_bytes())
    data[8] = 9
    path.write_bytes(data)
    with pytest.raises(JournalError, match="format version 9, this vtframe reads version 1"):
        list(JournalReader(tmp_path))


def test_no_folder_and_an_empty_folder_are_refused(tmp_path) -> None:
    with pytest.raises(JournalError, match="no such journal folder"):
        JournalReader(tmp_path / "nowhere")
    with pytest.raises(JournalError, match="holds no journal segment"):
        JournalReader(tmp_path)


@pytest.mark.parametrize("cut", [0, 3, 60, HEADER_BYTES, HEADER_BYTES + 7, -1])
def test_opening_for_append_truncates_the_torn_tail_and_goes_on(tmp_path, cut) -> None:
    write(tmp_path, some(5))
    path = tmp_path / "000001.vtj"
    os.truncate(path, path.stat().st_size + cut if cut < 0 else cut)
    writer = JournalWriter(tmp_path, session_id="s-1")
    kept = 4 if cut < 0 else 0
    assert (writer.torn is None) == (cut == HEADER_BYTES)
    writer.write(SessionStopped(ts=1, reason="again"))
    writer.close()
    reader = JournalReader(tmp_path)
    assert list(reader) == [*some(5)[:kept], SessionStopped(ts=1, reason="again")]
    assert reader.torn is None


def test_a_journal_goes_on_in_its_last_segment(tmp_path) -> None:
    write(tmp_path, some(8), segment_bytes=300)
    write(tmp_path, some(8), segment_bytes=300)
    assert list(JournalReader(tmp_path)) == some(8) + some(8)


def test_another_session_cannot_continue_a_journal(tmp_path) -> None:
    write(tmp_path, some(3))
    with pytest.raises(JournalError, match="belongs to session 's-1', not to 's-9'"):
        JournalWriter(tmp_path, session_id="s-9")


def test_two_writers_cannot_share_a_journal(tmp_path) -> None:
    writer = JournalWriter(tmp_path, session_id="s-1")
    with pytest.raises(JournalError, match="is being written by another session"):
        JournalWriter(tmp_path, session_id="s-1")
    writer.close()
    JournalWriter(tmp_path, session_id="s-1").close()


@pytest.mark.parametrize("name", ["", "x" * 256, "a\0b"])
def test_a_session_id_that_has_no_room_in_the_header_is_refused(tmp_path, name) -> None:
    with pytest.raises(ValueError, match="a session id has 1 to 255 bytes"):
        JournalWriter(tmp_path / "j", session_id=name)
    assert not (tmp_path / "j").exists()


def test_a_closed_journal_takes_nothing(tmp_path) -> None:
    writer = JournalWriter(tmp_path, session_id="s-1")
    writer.close()
    writer.close()
    with pytest.raises(JournalError, match="is closed"):
        writer.write(some(1)[0])
    with pytest.raises(JournalError, match="is closed"):
        writer.rotate()


@pytest.mark.parametrize("sync", ["os", "fsync"])
def test_checkpoints_and_approved_orders_reach_the_disk_as_the_policy_says(tmp_path, monkeypatch, sync) -> None:
    synced: list[str] = []
    real = os.fsync

    def fsync(fd: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{fd}").readlink()))
        real(fd)

    writer = JournalWriter(tmp_path, session_id="s-1", sync=sync)
    monkeypatch.setattr(os, "fsync", fsync)
    approved = OrderApproved(
        order=SubmitOrder(client_order_id="a", lane="l", instrument=0, side=Side.BUY, order_type=OrderType.MARKET, quantity=1),
        instrument="X@v",
        asked_quantity=1,
    )
    writer.write(some(1)[0])
    assert synced == []
    writer.write(approved)
    assert len(synced) == (1 if sync == "fsync" else 0)
    writer.write(Checkpoint(input=1, ts=1, report={}))
    writer.close()
    assert synced.count(str(tmp_path / "000001.vtj")) == (3 if sync == "fsync" else 2)


def test_everything_acknowledged_before_a_kill_is_read_back(tmp_path) -> None:
    script = textwrap.dedent(
        """
        import os, sys
        from pathlib import Path
        from vtframe.journal import JournalWriter
        from vtframe.journal.records import InputArrived
        writer = JournalWriter(Path(sys.argv[1]), session_id="s-1", segment_bytes=50_000)
        n = 0
        while True:
            for n in range(n, n + 50):
                writer.write(InputArrived(number=n, kind=4, ts=n, text="y" * (n % 90)))
            os.write(1, b"%d\\n" % n)
            n += 1
        """
    )
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "j")], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        acknowledged = -1
        for _ in range(200):
            acknowledged = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read().decode().split("\n")
    whole = [int(line) for line in rest[:-1]]
    acknowledged = max([acknowledged, *whole])
    numbers = [r.number for r in JournalReader(tmp_path / "j") if isinstance(r, InputArrived)]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) > acknowledged >= 200 * 50 - 1
    assert len(list((tmp_path / "j").glob("*.vtj"))) > 5


def test_a_full_disk_is_a_clear_error_and_leaves_whole_records_only(tmp_path) -> None:
    script = textwrap.dedent(
        """
        import resource, sys
        from pathlib import Path
        from vtframe.errors import JournalError
        from vtframe.journal import JournalWriter
        from vtframe.journal.records import InputArrived
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 40_000))
        writer = JournalWriter(Path(sys.argv[1]), session_id="s-1")
        n = 0
        try:
            while True:
                writer.write(InputArrived(number=n, kind=4, ts=n, text="y" * 50))
                n += 1
        except JournalError as e:
            print(e)
        resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
        writer.write(InputArrived(number=n, kind=4, ts=n))
        writer.close()
        print(n)
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "j")], capture_output=True, text=True, check=True, timeout=60
    )
    message, count = done.stdout.splitlines()
    assert "000001.vtj at byte" in message
    assert "cannot be written: File too large; free the disk" in message
    reader = JournalReader(tmp_path / "j")
    assert [r.number for r in reader if isinstance(r, InputArrived)] == list(range(int(count) + 1))
    assert reader.torn is None


def test_a_folder_that_cannot_be_made_is_named(tmp_path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(JournalError, match=r"file/journal: cannot be made"):
        JournalWriter(tmp_path / "file" / "journal", session_id="s-1")


def test_a_rotation_that_fails_keeps_the_segment_before_it(tmp_path) -> None:
    writer = JournalWriter(tmp_path, session_id="s-1")
    writer.write(some(1)[0])
    (tmp_path / "000002.vtj").mkdir()
    with pytest.raises(JournalError, match=r"000002\.vtj: cannot be made"):
        writer.rotate()
    (tmp_path / "000002.vtj").rmdir()
    writer.write(some(2)[1])
    writer.rotate()
    writer.write(some(3)[2])
    writer.close()
    assert list(JournalReader(tmp_path)) == some(3)
