"""Price-level books, kept by compiled functions in arrays that Python reads in place."""

from vtframe.book.books import BookCounts, Books

__all__ = ["BookCounts", "Books"]
