"""Whatever can change a decision enters the engine as one numbered input of one of these kinds."""

from __future__ import annotations

from enum import IntEnum


class InputKind(IntEnum):
    MESSAGE = 1  # bytes of one message from a market connection
    RECORDS = 2  # frames that need no decoding (the embedded market, other people's archives)
    REST = 3  # a body with the request that it answers
    TIMER = 4
    PREDICTION = 5  # arrival of an answer from another thread or process
    ORDER_EVENT = 6  # the venue on one of our orders
    CONNECTION = 7  # up, down
    COMMAND = 8  # an operator's
    DRIFT = 9  # a verdict on a model's inputs or scores, found off the hot path
