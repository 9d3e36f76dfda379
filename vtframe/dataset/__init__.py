"""Rows in bulk: made from a feed as a session makes them, read back from a session's folder, compared, labeled, written."""
