"""Bad input of every kind, given to ``vtframe run`` as a user would: one clear message, exit code 2, nothing half-written."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from vtframe.cli.main import cli

Change = Callable[[str, Path], str]  # the configuration's text and a folder to put files into; the new text


def replaced(old: str, new: str) -> Change:
    def change(text: str, folder: Path) -> str:
        assert old in text
        return text.replace(old, new)

    return change


def with_local(code: str, *more: str) -> Change:
    def change(text: str, folder: Path) -> str:
        names = []
        for position, source in enumerate((code, *more)):
            (folder / f"mine{position}.py").write_text(source)
            names.append(f"mine{position}.py")
        return text.replace('plugins = ["onnx"]', f'plugins = ["onnx"]\nlocal = {names}')

    return change


STRATEGY = """
from vtframe.api import Strategy
class Mine(Strategy):
    name = "mine"
    def on_prediction(self, prediction, view): return None
"""
CONFIGURATIONS: dict[str, tuple[Change, tuple[str, ...]]] = {
    "unknown key": (replaced("deadline_us", "deadlin_us"), ("deadlin_us", "did you mean 'deadline_us'?")),
    "wrong type": (replaced("capital = 10_000", "capital = true"), ("capital", "true")),
    "missing table": (
        replaced('[feed]\nuse = "market"', '[rows]\ndtype = "float32"'),
        ("[feed]",),
    ),
    "unknown part": (replaced('use = "micro_spread"', 'use = "micro_sprad"'), ("micro_sprad", "did you mean 'micro_spread'?")),
    "plugin not named": (replaced('plugins = ["onnx"]', "plugins = []"), ("onnx", "not named")),
    "plugin not installed": (replaced('["onnx"]', '["onnx", "nowhere"]'), ("nowhere",)),
    "plugin broken on import": (with_local("import nothing_of_that_name"), ("mine0.py", "nothing_of_that_name")),
    "two parts of one name": (with_local(STRATEGY, STRATEGY), ("'mine'", "mine0", "mine1")),
    "misspelt hook": (
        with_local("from vtframe.api import hookimpl\n@hookimpl\ndef register_strategy(): return ()"),
        ("register_strategy", "register_strategies"),
    ),
    "not TOML": (replaced("[feed]", "[feed"), ("not TOML",)),
    "model that is not there": (replaced('model = "embedded_direction"', 'model = "embeded_direction"'), ("did you mean",)),
    "strategy's threshold out of range": (replaced("enter = 0.5", "enter = 1.5"), ("enter", "1.5")),
}


@pytest.fixture
def config(root: Path, tmp_path: Path) -> Path:
    """A copy of the repository's configuration and of its model."""
    shutil.copytree(root / "models" / "embedded_direction", tmp_path / "models" / "embedded_direction")
    path = tmp_path / "vtframe.toml"
    path.write_text((root / "market.toml").read_text())
    return path


def refused(arguments: list[str], session: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What ``vtframe run`` said when it refused."""
    with pytest.raises(SystemExit) as stopped:
        cli.main(["run", *arguments, "--session", str(session)])
    told = capsys.readouterr()
    assert stopped.value.code == 2, told
    assert "Traceback" not in told.err + told.out
    assert not session.exists()
    return told.err


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_a_bad_configuration_is_refused(name: str, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change, words = CONFIGURATIONS[name]
    config.write_text(change(config.read_text(), config.parent))
    message = refused([str(config)], config.parent / "session", capsys)
    assert [word for word in words if word not in message] == [], message


def test_several_faults_are_told_at_once_with_their_lines(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = config.read_text().replace("deadline_us", "deadlin_us").replace("capital = 10_000", "capital = -1")
    text = text.replace('use = "micro_spread"', 'use = "micro_sprad"')
    config.write_text(text)
    message = refused([str(config)], config.parent / "session", capsys)
    for word in ("deadlin_us", "micro_sprad"):
        line = 1 + text[: text.index(word)].count("\n")
        assert f"vtframe.toml:{line}" in message


def gz(lines: list[bytes]) -> bytes:
    return gzip.compress(b"\n".join(lines) + b"\n")


def line(time: int, price: str = "61800.10", symbol: str = "BTCUSDT") -> bytes:
    depth = (
        b'{"stream":"x@depth@0ms","data":{"e":"depthUpdate","E":1723161256299,"T":1723161256298,"s":"%s","U":1,"u":2,"pu":0,'
    )
    return b"%d " % time + depth % symbol.encode() + b'"b":[["%s","1.000"]],"a":[]}}' % price.encode()


RECORDINGS: dict[str, tuple[bytes | None, tuple[str, ...]]] = {
    "missing": (None, ("recording.gz",)),
    "empty": (b"", ("empty",)),
    "not gzip": (b"\x00\x01\x02\x03 not a recording at all \xff" * 50, ("recording.gz",)),
    "another venue's": (
        gz([b'%d {"topic":"orderbook.50.BTCUSDT","data":{}}' % (1723161255030314667 + i) for i in range(50)]),
        ("describe",),
    ),
    "mixed time units": (
        gz([line(1723161255030314667 + i) for i in range(40)] + [line(1723161255030 + i) for i in range(40)]),
        ("unit",),
    ),
    "of an unknown instrument": (
        gz([line(1723161255030314667 + i, symbol="NOSUCHUSDT") for i in range(50)]),
        ("in doubt", "vtframe recording describe"),
    ),
}


@pytest.mark.parametrize("name", RECORDINGS)
def test_a_bad_recording_is_refused(name: str, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content, words = RECORDINGS[name]
    path = config.parent / "recording.gz"
    if content is not None:
        path.write_bytes(content)
    message = refused([str(config), "--recording", str(path)], config.parent / "session", capsys)
    assert [word for word in words if word not in message] == [], message


def spoil(name: str, bundle: Path) -> None:
    model, toml = bundle / "model.onnx", bundle / "bundle.toml"
    text = toml.read_text()
    if name == "wrong hash":
        model.write_bytes(model.read_bytes()[:-1] + b"\x00")
    elif name == "missing file":
        model.unlink()
    elif name == "no bundle.toml":
        toml.unlink()
    elif name == "wrong feature order":
        first, second = '"book_imbalance"', '"micro_spread"'
        toml.write_text(text.replace(first, "@").replace(second, first).replace("@", second))
    elif name == "pickle":
        (bundle / "model.pkl").write_bytes(b"\x80\x04K\x01.")
        toml.write_text(text.replace("model.onnx", "model.pkl"))
    else:
        raise AssertionError(name)


@pytest.mark.parametrize("name", ["wrong hash", "missing file", "no bundle.toml", "wrong feature order", "pickle"])
def test_a_bad_bundle_is_refused(name: str, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spoil(name, config.parent / "models" / "embedded_direction")
    message = refused([str(config)], config.parent / "session", capsys)
    assert "embedded_direction" in message
    assert message.count("error") <= 1


def test_a_strategy_that_cannot_start_leaves_no_folder(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = STRATEGY + "    def start(self, view): raise RuntimeError('no start')\n"
    text = with_local(code)(config.read_text(), config.parent).replace(
        'use = "probability", enter = 0.5, exit = 0.34, min_edge_bps = 0.34, ', 'use = "mine", '
    )
    config.write_text(text.replace("assume_fees_bps = 0 ", "").replace('use = "mine", }', 'use = "mine" }'))
    assert "no start" in refused([str(config)], config.parent / "session", capsys)
