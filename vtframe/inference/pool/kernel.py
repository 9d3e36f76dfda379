"""What the engine and the workers do on the board: plain functions that are compiled, each a few atomic words long.

Engine: ``submit``, ``collect``, ``listen``. Worker: ``claim``, ``answer``. A worker lists what it is about to claim before it
claims it, and strikes it out after the answer is there: at any moment a request is in a mailbox, on a list, or answered, so
that none is lost with a worker that dies.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from vtframe.buffers.atomics import compare_exchange, exchange, fence, load_acquire, pause, store_release
from vtframe.buffers.wake import await_bell, hear_bell, monotonic_ns, ring_bell
from vtframe.inference.pool import board as b


def submit(workers: Any, mail: Any, heads: Any, instrument: int, row: int, sent: int, bell: int) -> int:
    """Ask for ``row``, the newest of ``instrument``; ``sent`` counts what this mailbox was sent before. Rings ``bell`` where a
    worker sleeps.

    Returns the request whose place it took (0: none); -1 where the queue is full, and nothing was asked.
    """
    store_release(heads, instrument, row + 1)
    places = mail.shape[1]
    words = mail.reshape(-1)
    place = instrument * places + sent % places
    if places > 1 and load_acquire(words, place) != 0:
        return -1
    before: int = exchange(words, place, row + 1)
    for worker in range(workers.shape[0]):
        if load_acquire(workers[worker], b.SLEEPING):
            ring_bell(bell)
            break
    return before


def collect(workers: Any, answers: Any, outputs: Any, taken: Any, taken_outputs: Any, limit: int) -> int:
    """Take up to ``limit`` answers, in each worker's order; returns how many."""
    count = 0
    size = answers.shape[1]
    for worker in range(workers.shape[0]):
        line = workers[worker]
        head = line[b.HEAD]
        tail = load_acquire(line, b.TAIL)
        while head < tail and count < limit:
            place = head % size
            for word in range(b.ANSWER_WORDS):
                taken[count, word] = answers[worker, place, word]
            for output in range(outputs.shape[2]):
                taken_outputs[count, output] = outputs[worker, place, output]
            head += 1
            count += 1
        store_release(line, b.HEAD, head)
    return count


def listen(header: Any, workers: Any, spins: int) -> int:
    """1 as soon as an answer is there; 0 after ``spins`` looks, and from then on the first answer rings the engine's bell."""
    for spin in range(spins + 1):
        if spin == spins:
            exchange(header, b.ENGINE_WAITS, 1)  # then look once more: an answer may have come before
        for worker in range(workers.shape[0]):
            if load_acquire(workers[worker], b.TAIL) > workers[worker, b.HEAD]:
                return 1
        pause()
    return 0


def await_answer(header: Any, workers: Any, spins: int, milliseconds: int, bell: int) -> int:
    """``listen``, and where that finds nothing, sleep until ``bell`` rings, at most that long; 1 where it found something."""
    if listen(header, workers, spins):
        return 1
    rung: int = await_bell(bell, milliseconds)
    if rung:
        hear_bell(bell)
    return rung


def claim(
    header: Any,
    mail: Any,
    fronts: Any,
    heads: Any,
    values: Any,
    line: Any,
    claims: Any,
    columns: Any,
    batch: Any,
    results: Any,
    spins: int,
) -> int:
    """Take the waiting requests, up to a batch, and copy their windows; returns how many. Looks up to ``spins`` times.

    ``results[i]`` becomes 0 where the window was whole, OVERRUN where rows of it were overwritten before they were copied.
    """
    words = mail.reshape(-1)
    for _ in range(spins):
        count = _take(mail, words, fronts, heads, values, line, claims, columns, batch, results)
        if count:
            line[b.BUSY_SINCE] = monotonic_ns()
            return count
        if load_acquire(header, b.STOP):
            return 0
        pause()
    return 0


def doze(
    header: Any,
    mail: Any,
    fronts: Any,
    heads: Any,
    values: Any,
    line: Any,
    claims: Any,
    columns: Any,
    batch: Any,
    results: Any,
    spins: int,
    milliseconds: int,
    bell: int,
) -> int:
    """Sleep until ``bell`` rings, at most that long, then ``claim``. Whoever asks from now on rings it, until ``wake``."""
    exchange(line, b.SLEEPING, 1)
    # a request may have come before the engine saw that we sleep
    count: int = claim(header, mail, fronts, heads, values, line, claims, columns, batch, results, 1)
    if not count and not load_acquire(header, b.STOP) and await_bell(bell, milliseconds):
        count = claim(header, mail, fronts, heads, values, line, claims, columns, batch, results, spins)
    return count


def wake(line: Any, bell: int) -> int:
    """Nobody needs to ring any more: whatever was asked meanwhile is looked for now."""
    exchange(line, b.SLEEPING, 0)
    hear_bell(bell)
    return 0


def _take(
    mail: Any, words: Any, fronts: Any, heads: Any, values: Any, line: Any, claims: Any, columns: Any, batch: Any, results: Any
) -> int:
    """One look at every mailbox, beginning after the last one served."""
    instruments, places = mail.shape
    count = 0
    at = line[b.SCAN]
    for step in range(instruments):
        instrument = at + step
        if instrument >= instruments:
            instrument -= instruments
        while count < batch.shape[0]:
            front = load_acquire(fronts, instrument) if places > 1 else 0
            place = instrument * places + front % places
            request = load_acquire(words, place)
            if request == 0:
                break
            claims[count, 0] = instrument
            claims[count, 1] = request - 1
            store_release(line, b.CLAIMS, count + 1)
            if places > 1:  # in order: who moves the front has the request, and its place is free once it says so
                won = compare_exchange(fronts, instrument, front, front + 1)
                if won:
                    store_release(words, place, 0)
            else:
                won = compare_exchange(words, place, request, 0)
            if not won:
                store_release(line, b.CLAIMS, count)  # another worker was quicker, or a newer row took its place
                continue
            results[count] = _copy_window(heads, values, instrument, request - 1, columns, batch[count])
            count += 1
        if count == batch.shape[0]:
            line[b.SCAN] = instrument
            return count
    return count


def _copy_window(heads: Any, values: Any, instrument: int, row: int, columns: Any, out: Any) -> int:
    """Copy the window that ends with ``row``. The engine may be writing meanwhile, up to half a ring beyond what it published:
    a window that reaches further back than half a ring is not to be trusted."""
    capacity = values.shape[1] // 2
    window = out.shape[0]
    first = row % capacity + capacity - window + 1
    for i in range(window):
        for j in range(out.shape[1]):
            out[i, j] = values[instrument, first + i, columns[j]]
    fence()  # the head is read after the window
    return b.OVERRUN if row - window + 1 < load_acquire(heads, instrument) - capacity // 2 else 0


def answer(
    header: Any,
    line: Any,
    claims: Any,
    answers: Any,
    outputs: Any,
    results: Any,
    values: Any,
    count: int,
    batch: int,
    bell: int,
) -> int:
    """Publish the answers of a claimed batch, and ring ``bell`` where the engine wants that; returns 1, or 0 where nothing was
    published: ``values`` has another shape than (count, outputs), or there is no room yet.

    ``results[i]`` says what became of request ``i``; where it is 0, ``values[i]`` are its numbers.
    """
    if values.shape[0] != count or values.shape[1] != outputs.shape[1]:
        return 0
    size = answers.shape[0]
    tail = line[b.TAIL]
    done: int = monotonic_ns()
    if tail + count - load_acquire(line, b.HEAD) > size:
        line[b.BUSY_SINCE] = 0
        line[b.HEARTBEAT] = done
        return 0
    for i in range(count):
        place = (tail + i) % size
        status = results[i]
        for output in range(outputs.shape[1]):
            value = values[i, output]
            outputs[place, output] = value
            if status == b.ANSWERED and not np.isfinite(value):
                status = b.NOT_FINITE
        answers[place, b.INSTRUMENT] = claims[i, 0]
        answers[place, b.ROW_NUMBER] = claims[i, 1]
        answers[place, b.STATUS] = status
        answers[place, b.BATCH] = batch
        answers[place, b.BATCH_SIZE] = count
        answers[place, b.DONE] = done
    store_release(line, b.TAIL, tail + count)
    store_release(line, b.CLAIMS, 0)
    if load_acquire(header, b.ENGINE_WAITS) and exchange(header, b.ENGINE_WAITS, 0):
        ring_bell(bell)
    line[b.BUSY_SINCE] = 0
    line[b.HEARTBEAT] = done
    line[b.CALLS] += 1
    return 1
