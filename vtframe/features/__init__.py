"""From frames to rows: all features of a pipeline in one compiled kernel, the same live and in batch."""

from vtframe.api import Sampling
from vtframe.features.pipeline import Pipeline, PipelineCounts, RowBatch
from vtframe.features.schema import schema_hash
from vtframe.kernels.fingerprint import fingerprint, fingerprint_parts

__all__ = ["Pipeline", "PipelineCounts", "RowBatch", "Sampling", "fingerprint", "fingerprint_parts", "schema_hash"]
