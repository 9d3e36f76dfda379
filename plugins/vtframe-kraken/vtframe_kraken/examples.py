"""Messages in Kraken's words, for the laws of codecs: one pair in version 1 of the protocol, another in version 2.

Written for this purpose, in the shapes of https://docs.kraken.com/exchange/api-reference; no recording is quoted. The checksums
are those of the books.
"""

from __future__ import annotations

from decimal import Decimal

from vtframe_kraken.known import make_instrument

_V1 = make_instrument("XBT/USD", price_decimals=5, quantity_decimals=8, tick=Decimal("0.1"), lot=Decimal("0.00000001"))
_V2 = make_instrument("SOL/EUR", price_decimals=2, quantity_decimals=8, tick=Decimal("0.01"), lot=Decimal("0.00000001"))
INSTRUMENTS = tuple(one for one in (_V1, _V2) if one is not None)
MESSAGES = (
    b'{"event":"systemStatus","status":"online","version":"1.9.0"}',
    (
        b'[336,{"as":[["61770.20000","0.50000000","1723161600.123456"],["61771.00000","1.25000000","1723161599.5"]],'
        b'"bs":[["61770.10000","2.00000000","1723161600.1"],["61769.90000","0.01000000","1723161598.000001"]]},"book-10","XBT/USD"]'
    ),
    (
        b'[336,{"a":[["61770.20000","0.00000000","1723161600.223456"],["61770.50000","0.30000000","1723161600.223457"]],'
        b'"c":"4273038614"},"book-10","XBT/USD"]'
    ),
    (
        b'[336,{"a":[["61770.50000","0.10000000","1723161600.3"]]},{"b":[["61770.10000","1.50000000","1723161600.300001","r"]],'
        b'"c":"4088825763"},"book-10","XBT/USD"]'
    ),
    (
        b'[337,[["61770.50000","0.20000000","1723161600.299999","b","l",""],["61770.10000","0.50000000","1723161600.3","s","m",""]],'
        b'"trade","XBT/USD"]'
    ),
    b'{"method":"subscribe","result":{"channel":"book","depth":10,"snapshot":true,"symbol":"SOL/EUR"},"success":true}',
    (
        b'{"channel":"book","type":"snapshot","data":[{"symbol":"SOL/EUR","bids":[{"price":140.12,"qty":12.50000000},{"price":140.10,'
        b'"qty":3.00000000}],"asks":[{"price":140.15,"qty":0.75000000}],"checksum":1744305434,"timestamp":"2024-08-09T00:00:00.123456Z"}]}'
    ),
    (
        b'{"channel":"book","type":"update","data":[{"symbol":"SOL/EUR","bids":[],"asks":[{"price":140.15,"qty":0.00000000},'
        b'{"price":140.20,"qty":8.10000000}],"checksum":4100125240,"timestamp":"2024-08-09T00:00:00.223456Z"}]}'
    ),
    (
        b'{"channel":"trade","type":"update","data":[{"symbol":"SOL/EUR","side":"buy","price":140.15,"qty":0.75000000,'
        b'"ord_type":"market","trade_id":4665846,"timestamp":"2024-08-09T00:00:00.222000Z"}]}'
    ),
    b'{"channel":"heartbeat"}',
)
