"""Bundles as a session ran them."""

from __future__ import annotations

from pathlib import Path

from vtframe.api import BundleInfo
from vtframe.errors import SessionError
from vtframe.inference.bundle import load_bundle


def bundle_as_it_was(folder: Path, digest: str) -> BundleInfo:
    """The bundle in ``folder``; raises SessionError where it is not the one that the session ran."""
    bundle = load_bundle(folder)
    if bundle.hash != digest:
        problem = f"is not the bundle that the session ran: its hash is {bundle.hash}, it was {digest}"
        raise SessionError(str(folder), problem, "put the bundle back")
    return bundle
