"""Compiling plain functions with numba: found with all that they reach, named by it, and kept on disk under that name."""

from vtframe.kernels.bind import Binder
from vtframe.kernels.cache import Generated, KernelCache, announcing
from vtframe.kernels.digest import Digest
from vtframe.kernels.fingerprint import fingerprint, fingerprint_parts

__all__ = ["Binder", "Digest", "Generated", "KernelCache", "announcing", "fingerprint", "fingerprint_parts"]
