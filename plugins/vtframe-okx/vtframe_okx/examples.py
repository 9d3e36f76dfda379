"""Messages in OKX's words, for the laws of codecs: a spot book from its picture on, a swap's, and trades.

Written for this purpose, in the shapes of https://www.okx.com/docs-v5/en/#order-book-trading-market-data; no recording is
quoted. One book carries checksums, as until 2026, the other 0.
"""

from __future__ import annotations

from vtframe_okx.known import VENUE, known_instrument

INSTRUMENTS = tuple(one for symbol in ("BTC-USDT", "BTC-USD-SWAP") if (one := known_instrument(VENUE, symbol)) is not None)
MESSAGES = (
    b'{"event":"subscribe","arg":{"channel":"books","instId":"BTC-USDT"},"connId":"a4d3ae55"}',
    (
        b'{"arg":{"channel":"books","instId":"BTC-USDT"},"action":"snapshot","data":[{"asks":[["30249.4","0.25","0","2"],'
        b'["30249.9","1.00000001","0","3"]],"bids":[["30249.3","0.5","0","1"],["30248","2","0","4"]],"ts":"1723161600100",'
        b'"checksum":188549629,"seqId":1001,"prevSeqId":-1}]}'
    ),
    (
        b'{"arg":{"channel":"books","instId":"BTC-USDT"},"action":"update","data":[{"asks":[["30249.4","0","0","0"]],'
        b'"bids":[["30249.4","0.1","0","1"]],"ts":"1723161600200","checksum":630938507,"seqId":1005,"prevSeqId":1001}]}'
    ),
    (
        b'{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","tradeId":"130639474","px":"30249.4",'
        b'"sz":"0.12060306","side":"buy","ts":"1723161600150"},{"instId":"BTC-USDT","tradeId":"130639475","px":"30249.3",'
        b'"sz":"0.5","side":"sell","ts":"1723161600151"}]}'
    ),
    (
        b'{"arg":{"channel":"books-l2-tbt","instId":"BTC-USD-SWAP"},"action":"snapshot","data":[{"asks":[["30251.1","1200","0","7"]],'
        b'"bids":[["30251","35","0","2"],["30250.7","4","0","1"]],"ts":"1723161600300","checksum":0,"seqId":77,"prevSeqId":-1}]}'
    ),
    (
        b'{"arg":{"channel":"books-l2-tbt","instId":"BTC-USD-SWAP"},"action":"update","data":[{"asks":[],"bids":[["30251","0","0",'
        b'"0"]],"ts":"1723161600310","checksum":0,"seqId":80,"prevSeqId":77}]}'
    ),
    b'{"arg":{"channel":"tickers","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","last":"30249.4","ts":"1723161600400"}]}',
)
