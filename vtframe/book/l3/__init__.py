"""Books order by order (L3), for feeds that send single orders; their news by levels drive everything else."""

from vtframe.book.l3.book import OrderBook, OrderBookCounts, RestingOrder

__all__ = ["OrderBook", "OrderBookCounts", "RestingOrder"]
