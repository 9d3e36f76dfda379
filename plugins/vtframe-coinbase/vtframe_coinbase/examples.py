"""Messages in Coinbase's words, for the laws of codecs: one connection's books and trades, numbered without a gap.

Written for this purpose, in the shapes of https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket; no
recording is quoted.
"""

from __future__ import annotations

from vtframe_coinbase.known import VENUE, known_instrument

INSTRUMENTS = tuple(one for symbol in ("BTC-USD", "ETH-USD") if (one := known_instrument(VENUE, symbol)) is not None)
MESSAGES = (
    (
        b'{"channel":"subscriptions","client_id":"","timestamp":"2026-08-09T21:05:48.1Z","sequence_num":0,"events":[{"subscriptions":'
        b'{"level2":["BTC-USD"]}}]}'
    ),
    (
        b'{"channel":"l2_data","client_id":"","timestamp":"2026-08-09T21:05:48.228568804Z","sequence_num":1,"events":[{"type":'
        b'"snapshot","product_id":"BTC-USD","updates":[{"side":"bid","event_time":"2026-08-09T21:05:48.2Z","price_level":"61770.01",'
        b'"new_quantity":"0.50210000"},{"side":"offer","event_time":"2026-08-09T21:05:48.2Z","price_level":"61770.02",'
        b'"new_quantity":"1.5"},{"side":"offer","event_time":"2026-08-09T21:05:48.2Z","price_level":"61771","new_quantity":"2"}]}]}'
    ),
    (
        b'{"channel":"l2_data","client_id":"","timestamp":"2026-08-09T21:05:48.31Z","sequence_num":2,"events":[{"type":"update",'
        b'"product_id":"BTC-USD","updates":[{"side":"offer","event_time":"2026-08-09T21:05:48.301Z","price_level":"61770.02",'
        b'"new_quantity":"0"},{"side":"bid","event_time":"2026-08-09T21:05:48.300Z","price_level":"61770","new_quantity":"0.1"}]}]}'
    ),
    (
        b'{"channel":"market_trades","client_id":"","timestamp":"2026-08-09T21:05:48.32Z","sequence_num":3,"events":[{"type":"update",'
        b'"trades":[{"product_id":"BTC-USD","trade_id":"882","price":"61770.02","size":"0.5","time":"2026-08-09T21:05:48.301Z",'
        b'"side":"SELL"},{"product_id":"BTC-USD","trade_id":"881","price":"61770.02","size":"1","time":"2026-08-09T21:05:48.3Z",'
        b'"side":"SELL"}]}]}'
    ),
    (
        b'{"channel":"l2_data","client_id":"","timestamp":"2026-08-09T21:05:48.4Z","sequence_num":4,"events":[{"type":"snapshot",'
        b'"product_id":"ETH-USD","updates":[{"side":"bid","event_time":"2026-08-09T21:05:48.39Z","price_level":"2611.1",'
        b'"new_quantity":"12.5"},{"side":"offer","event_time":"2026-08-09T21:05:48.39Z","price_level":"2611.2","new_quantity":"3"}]}]}'
    ),
    (
        b'{"channel":"heartbeats","client_id":"","timestamp":"2026-08-09T21:05:49Z","sequence_num":5,"events":[{"current_time":'
        b'"2026-08-09 21:05:49","heartbeat_counter":"1"}]}'
    ),
)
