"""Messages in VecTrade's words, for the laws of codecs: two books from their pictures on, trades, tickers, quotes, notes."""

from __future__ import annotations

from vtframe_vectrade.known import Units, instrument_of

INSTRUMENTS = (instrument_of("BTC-USD"), instrument_of("AAPL", Units(tick="0.01", lot="1")))
MESSAGES = (
    b'{"type":"subscribed","channels":["orderbook:BTC-USD","trades:BTC-USD","ticker:AAPL"]}',
    (
        b'{"type":"snapshot","channel":"orderbook:BTC-USD","sequence":1001,"timestamp":"2026-05-15T14:30:00.125Z",'
        b'"bids":[["61773.60","1.001"],["61773.00","0.25"]],"asks":[["61773.70","0.5"],["61775.00","2"]]}'
    ),
    (
        b'{"type":"delta","channel":"orderbook:BTC-USD","sequence":1002,"timestamp":"2026-05-15T14:30:00.225Z",'
        b'"bids":[["61773.60","0"],["61773.50","0.75000001"]],"asks":[]}'
    ),
    (
        b'{"type":"trade","channel":"trades:BTC-USD","id":"130639474","timestamp":"2026-05-15T14:30:00.3Z","price":"61773.70",'
        b'"size":"0.12060306","side":"buy"}'
    ),
    (
        b'{"type":"delta","channel":"orderbook:BTC-USD","sequence":1003,"timestamp":"2026-05-15T14:30:00.325000001Z",'
        b'"bids":[],"asks":[["61773.70","0.37939694"]]}'
    ),
    (
        b'{"type":"snapshot","channel":"orderbook:AAPL","sequence":7,"timestamp":"2026-05-15T14:30:01Z",'
        b'"bids":[["198.49","300"]],"asks":[["198.51","200"],["198.52","100"]]}'
    ),
    (
        b'{"type":"ticker","channel":"ticker:AAPL","timestamp":"2026-05-15T14:30:01.5Z","price":"198.50","bid":"198.49",'
        b'"bid_size":"300","ask":"198.51","ask_size":"200"}'
    ),
    (
        b'{"type":"quote.update","symbol":"AAPL","price":198.5,"change":2.3,"changePct":1.17,"volume":45000000,"bid":198.49,'
        b'"ask":198.51,"timestamp":"2026-05-15T14:30:00Z"}'
    ),
    b'{"type":"heartbeat","timestamp":"2026-05-15T14:30:05Z"}',
)
