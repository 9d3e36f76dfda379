"""The predictions that a session logged for one model, read back in blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from vtframe.api import PredictionBlock
from vtframe.dataset.logged import FORMAT_VERSION, numbered
from vtframe.dataset.row_columns import codes_of
from vtframe.domain import PREDICTION, Verdict
from vtframe.errors import SessionError

_BLOCK = 16_384
_NUMBERS = tuple(name for name in PREDICTION.names or () if name not in {"instrument", "verdict", "version"})
_VERSION = "model_hash"
_VERDICTS = {verdict.value: code for code, verdict in enumerate(Verdict)}


class LoggedPredictions:
    """Iterate over it for the blocks of the segments in ``folder``, in order; afterwards ``problems`` says what was amiss.

    Outputs are nan where a prediction has none. A block's ``versions`` are empty where the log does not name them. Raises
    SessionError for a segment of another format, session or model.
    """

    def __init__(
        self, folder: Path, *, model: str, session_id: str, instruments: Sequence[str], outputs: Sequence[str]
    ) -> None:
        self.problems: list[str] = []
        self._segments = numbered(folder)
        self._stated = {
            "vtframe.format_version": FORMAT_VERSION,
            "vtframe.kind": "predictions",
            "vtframe.session_id": session_id,
            "vtframe.model": model,
        }
        self._model = model
        self._instruments = {name: index for index, name in enumerate(instruments)}
        self._outputs = tuple(outputs)
        self._versions: dict[str, int] = {}
        there = [int(path.stem) for path in self._segments]
        missing = sorted(set(range(1, max(there, default=0) + 1)) - set(there))
        self.problems += [f"predictions/{model}/{number:06d}.parquet is missing" for number in missing]

    def __iter__(self) -> Iterator[PredictionBlock]:
        for path in self._segments:
            try:
                with pq.ParquetFile(path) as file:
                    self._check(path, file.schema_arrow)
                    for batch in file.iter_batches(batch_size=_BLOCK):
                        yield self._block(batch)
            except (OSError, pa.ArrowException, KeyError) as e:
                told = (str(e).strip() or type(e).__name__).splitlines()[0]
                self.problems.append(f"predictions/{self._model}/{path.name} cannot be read: {told}")

    def last_arrival(self) -> int:
        """The input that brought the last logged answer; 0 where there is none. Raises SessionError as iterating does."""
        for path in reversed(self._segments):
            with suppress(OSError, pa.ArrowException, KeyError), pq.ParquetFile(path) as file:
                self._check(path, file.schema_arrow)
                arrived = file.read_row_group(file.num_row_groups - 1, columns=["arrived"]).column("arrived")
                return int(arrived[-1].as_py())
        return 0

    def _check(self, path: Path, schema: pa.Schema) -> None:
        said = {key.decode(): value.decode() for key, value in (schema.metadata or {}).items()}
        for key, expected in self._stated.items():
            if said.get(key) != expected:
                problem = f"states {key.removeprefix('vtframe.')} = {said.get(key)!r}, expected {expected!r}"
                raise SessionError(str(path), problem)

    def _block(self, batch: pa.RecordBatch) -> PredictionBlock:
        meta = np.zeros(batch.num_rows, PREDICTION)
        for name in _NUMBERS:
            meta[name] = batch.column(name).to_numpy(zero_copy_only=False)
        meta["instrument"] = codes_of(batch.column("instrument"), self._instruments)
        meta["verdict"] = codes_of(batch.column("verdict"), _VERDICTS)
        if _VERSION in batch.schema.names:
            hashes = batch.column(_VERSION)
            for digest in hashes.dictionary.to_pylist():
                self._versions.setdefault(digest, len(self._versions))
            meta["version"] = codes_of(hashes, self._versions)
        outputs = np.column_stack([batch.column(name).to_numpy(zero_copy_only=False) for name in self._outputs])
        return PredictionBlock(
            model=self._model, meta=meta, outputs=outputs.astype(np.float32, copy=False), versions=tuple(self._versions)
        )
