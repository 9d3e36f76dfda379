"""Messages in Bybit's words, for the laws of codecs: a linear book from its picture on, best prices, and trades.

Written for this purpose, in the shapes of https://bybit-exchange.github.io/docs/v5/websocket/public/orderbook; no recording is
quoted.
"""

from __future__ import annotations

from vtframe_bybit.known import LINEAR, known_instrument

INSTRUMENTS = tuple(one for symbol in ("BTCUSDT", "ETHUSDT") if (one := known_instrument(LINEAR, symbol)) is not None)
MESSAGES = (
    b'{"success":true,"ret_msg":"","conn_id":"cejreqre0oq8lbcopvn0-1bpy","op":"subscribe"}',
    (
        b'{"topic":"orderbook.50.BTCUSDT","type":"snapshot","ts":1723161600103,"data":{"s":"BTCUSDT","b":[["65095.30","0.005"],'
        b'["65095.20","1.100"]],"a":[["65095.40","2.500"],["65096.00","0.031"]],"u":18521288,"seq":7961638724},"cts":1723161600100}'
    ),
    (
        b'{"topic":"orderbook.50.BTCUSDT","type":"delta","ts":1723161600123,"data":{"s":"BTCUSDT","b":[["65095.30","0"]],'
        b'"a":[["65095.40","2.250"],["65095.50","0.700"]],"u":18521289,"seq":7961638730},"cts":1723161600120}'
    ),
    (
        b'{"topic":"orderbook.1.BTCUSDT","type":"snapshot","ts":1723161600123,"data":{"s":"BTCUSDT","b":[["65095.20","1.100"]],'
        b'"a":[["65095.40","2.250"]],"u":18521289,"seq":7961638730},"cts":1723161600120}'
    ),
    (
        b'{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1723161600125,"data":[{"T":1723161600119,"s":"BTCUSDT","S":"Buy",'
        b'"v":"0.250","p":"65095.40","L":"ZeroPlusTick","i":"20f43950-d8dd-5b31-9112-a178eb6023af","BT":false},{"T":1723161600120,'
        b'"s":"BTCUSDT","S":"Sell","v":"0.005","p":"65095.30","L":"MinusTick","i":"20f43950-d8dd-5b31-9112-a178eb6023b0","BT":true}]}'
    ),
    (
        b'{"topic":"orderbook.50.ETHUSDT","type":"snapshot","ts":1723161600203,"data":{"s":"ETHUSDT","b":[["3441.20","12.04"]],'
        b'"a":[["3441.21","3.50"]],"u":977,"seq":1234},"cts":1723161600200}'
    ),
    (
        b'{"topic":"orderbook.50.BTCUSDT","type":"delta","ts":1723161600223,"data":{"s":"BTCUSDT","b":[],"a":[],"u":18521290,'
        b'"seq":7961638740},"cts":1723161600220}'
    ),
    b'{"topic":"tickers.BTCUSDT","type":"delta","data":{"symbol":"BTCUSDT","lastPrice":"65095.40"},"cs":24987956,"ts":1723161600300}',
)
