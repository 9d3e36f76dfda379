"""Scan primitives: a venue's bytes to records in compiled code, every read checked. No venue in it; ``vtframe.api.scan`` lists
them."""
