"""vtframe: frames in, risk-checked orders out, with proof that what runs live is what was trained."""

__version__ = "0.1.0"
