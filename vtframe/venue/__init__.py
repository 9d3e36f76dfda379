"""The embedded venue: a process of its own that speaks Binance's protocols on loopback.

``__main__`` starts it; ``server`` answers HTTP and WebSocket; ``venue`` holds the markets; ``tape`` publishes one instrument.
"""
