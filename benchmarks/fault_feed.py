"""What the campaign's sessions are fed by: the feed `binance` with short times, so that a fault is over soon."""

from __future__ import annotations

FEED = """
[feed]
use = "binance"
market = "{market}"
instruments = {symbols}
url = "{url}"
transport = "{transport}"
silence_s = 0.6
quiet_s = 3.0
first_s = 3.0
connect_s = 2.0
reconnect_s = 0.05
reconnect_most_s = 0.2
overlap_s = 1.0
request_s = 1.0
snapshot_levels = 500
snapshot_retry_s = 0.02
snapshot_retry_most_s = 0.1
redundant = {redundant}
seed = {seed}
"""
