"""Messages in Binance's words, for the laws of codecs: three books from snapshot to diff, trades of both streams, best prices.

Written for this purpose, in the shapes of https://developers.binance.com/docs; no recording is quoted.
"""

from __future__ import annotations

from vtframe.builtin.binance.known import COINM, SPOT, USDM, known_instrument

_MARKETS = ((SPOT, "BTCUSDT"), (USDM, "BTCUSDT"), (COINM, "BTCUSD_PERP"))
INSTRUMENTS = tuple(one for market in _MARKETS if (one := known_instrument(*market)) is not None)
_SPOT = (
    (
        b'{"lastUpdateId":1001,"bids":[["61770.01000000","0.50210000"],["61769.99000000","1.20000000"]],'
        b'"asks":[["61770.02000000","0.31415000"],["61770.55000000","2.00000000"]]}'
    ),
    (
        b'{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1723161600100,"s":"BTCUSDT","U":1000,"u":1003,'
        b'"b":[["61770.01000000","0.00000000"],["61770.00000000","0.75000000"]],"a":[]}}'
    ),
    b'{"e":"depthUpdate","E":1723161600200,"s":"BTCUSDT","U":1004,"u":1006,"b":[],"a":[["61770.02000000","0.10000000"]]}',
    b'{"u":1006,"s":"BTCUSDT","b":"61770.00000000","B":"0.75000000","a":"61770.02000000","A":"0.10000000"}',
    (
        b'{"stream":"btcusdt@trade","data":{"e":"trade","E":1723161600201,"s":"BTCUSDT","t":77,"p":"61770.02000000",'
        b'"q":"0.21415000","T":1723161600200,"m":false,"M":true}}'
    ),
    (
        b'{"e":"aggTrade","E":1723161600202,"s":"BTCUSDT","a":31,"p":"61770.00000000","q":"0.01000000","f":78,"l":79,'
        b'"T":1723161600201,"m":true,"M":true}'
    ),
)
_USDM = (
    (
        b'{"lastUpdateId":5001,"E":1723161600000,"T":1723161599990,"bids":[["61751.20","3.512"],["61751.10","0.020"]],'
        b'"asks":[["61751.30","1.001"]]}'
    ),
    (
        b'{"stream":"btcusdt@depth@0ms","data":{"e":"depthUpdate","E":1723161600020,"T":1723161600019,"s":"BTCUSDT","U":4999,'
        b'"u":5004,"pu":4998,"b":[["61751.20","3.000"]],"a":[["61751.30","0.000"],["61751.40","7.250"]]}}'
    ),
    (
        b'{"e":"depthUpdate","E":1723161600030,"T":1723161600029,"s":"BTCUSDT","U":5005,"u":5005,"pu":5004,'
        b'"b":[],"a":[["61751.50","0.100"]]}'
    ),
    (
        b'{"stream":"btcusdt@bookTicker","data":{"e":"bookTicker","u":5005,"s":"BTCUSDT","b":"61751.20","B":"3.000",'
        b'"a":"61751.40","A":"7.250","T":1723161600029,"E":1723161600030}}'
    ),
    b'{"e":"trade","E":1723161600031,"T":1723161600030,"s":"BTCUSDT","t":501,"p":"61751.40","q":"0.250","X":"MARKET","m":false}',
    (
        b'{"e":"trade","E":1723161600032,"T":1723161600031,"s":"BTCUSDT","t":502,"p":"61751.20","q":"0.100",'
        b'"X":"INSURANCE_FUND","m":true}'
    ),
    b'{"e":"markPriceUpdate","E":1723161601000,"s":"BTCUSDT","p":"61751.33","i":"61755.10","r":"0.0001","T":1723190400000}',
)
_COINM = (
    (
        b'{"lastUpdateId":9001,"E":1723161600000,"T":1723161599990,"symbol":"BTCUSD_PERP","pair":"BTCUSD",'
        b'"bids":[["61748.1","1200"]],"asks":[["61748.2","35"],["61748.9","410"]]}'
    ),
    (
        b'{"e":"depthUpdate","E":1723161600040,"T":1723161600039,"s":"BTCUSD_PERP","ps":"BTCUSD","U":9000,"u":9002,"pu":8999,'
        b'"b":[["61748.1","1150"]],"a":[["61748.2","0"]]}'
    ),
    (
        b'{"e":"bookTicker","u":9002,"s":"BTCUSD_PERP","ps":"BTCUSD","b":"61748.1","B":"1150","a":"61748.9","A":"410",'
        b'"T":1723161600039,"E":1723161600040}'
    ),
    b'{"e":"trade","E":1723161600041,"T":1723161600040,"s":"BTCUSD_PERP","t":12,"p":"61748.9","q":"5","X":"MARKET","m":false}',
)
_OURS = (  # what a live feed adds (notes.py)
    b'{"stream":"btcusdt@note","data":{"e":"vtframe.note","venue":"binance_spot","symbol":"BTCUSDT","state":"stale","reason":"silent"}}',
    b'{"stream":"btcusdt@note","data":{"e":"vtframe.note","venue":"binance_spot","symbol":"BTCUSDT","state":"halted","reason":"BREAK"}}',
    b'{"stream":"btcusdt@note","data":{"e":"vtframe.note","venue":"binance_spot","symbol":"BTCUSDT","state":"trading"}}',
    b'{"stream":"btcusdt@depthSnapshot","data":' + _SPOT[0] + b"}",
    b'{"stream":"btcusd_perp@depthSnapshot","data":' + _COINM[0] + b"}",
)
MESSAGES = (*_SPOT, *_USDM, *_COINM, *_OURS, b'{"result":null,"id":1}')
