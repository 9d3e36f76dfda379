"""Answers to an HTTP request that are none, or that say what cannot be: every client of REST must make an error of them."""

from __future__ import annotations

ODD_TIMES = ("\u00b2", "\u0664", "9" * 5_000, "-1", "1e400", "nan", "inf", "0x10", "1_0", "\udcff\udcfe")
"""Of Retry-After: two of them are digits to Python, and no number."""

ODD = (
    b"garbage\r\n\r\n",
    b"",
    b"HTTP/1.1 99999 X\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nabcde",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 200_000 + b"\r\n\r\n",
    b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/other\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 429 X\r\nRetry-After: \xff\xfe\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX-MBX-USED-WEIGHT-1M: 999999999999999999999\r\nContent-Length: 2000\r\n\r\n" + b"x" * 2000,
    *(
        b"HTTP/1.1 418 X\r\nRetry-After: " + text.encode(errors="surrogateescape") + b"\r\nContent-Length: 0\r\n\r\n"
        for text in ODD_TIMES
    ),
)
