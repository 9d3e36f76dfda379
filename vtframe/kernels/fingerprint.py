"""Where two machines compute the same bits: equal fingerprints promise it, different ones do not."""

from __future__ import annotations

import hashlib
import json
import platform
from functools import cache

import llvmlite
import numba
import numpy as np
from llvmlite import binding

from vtframe.kernels.bind import settings


@cache
def fingerprint_parts() -> dict[str, str]:
    """What decides the bits of a kernel besides its own code: compiler, processor, mathematical library."""
    features = binding.get_host_cpu_features()
    return {
        "numba": numba.__version__,
        "llvmlite": llvmlite.__version__,
        "llvm": ".".join(map(str, binding.llvm_version_info)),
        "numpy": np.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cpu": str(settings.CPU_NAME or binding.get_host_cpu_name()),
        "cpu_features": str(
            settings.CPU_FEATURES
            if settings.CPU_FEATURES is not None
            else ",".join(name for name, there in sorted(features.items()) if there)
        ),
        "libm": " ".join(part for part in platform.libc_ver() if part) or platform.system(),
        "compiled": "no" if settings.DISABLE_JIT else "yes",
        "optimization": str(settings.OPT),
    }


@cache
def fingerprint() -> str:
    """The first 12 hex digits of a hash over ``fingerprint_parts``."""
    return hashlib.sha256(json.dumps(fingerprint_parts(), sort_keys=True).encode()).hexdigest()[:12]
