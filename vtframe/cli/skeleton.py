"""The skeletons that ``vtframe new`` writes: templates filled with names. Nothing that is there already is overwritten."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from string import Template
from typing import NamedTuple

from vtframe.errors import InputError


class Kind(NamedTuple):
    """One kind of part that can be written. Its templates are ``KIND.txt`` and ``test_KIND.txt``."""

    word: str  # in sentences, and in file names with an underscore
    hook: str
    api: str  # the class that it extends
    suffix: str  # of its class
    use: str  # how a configuration uses it
    has_laws: bool
    also: tuple[tuple[str, str, str], ...] = ()  # hook, api and suffix of what else its module gives to a plugin


KINDS = {
    "feature": Kind("feature", "register_features", "Feature", "", '\n[[features]]\nuse = "{name}"\n', has_laws=True),
    "codec": Kind(
        "codec",
        "register_codecs",
        "Codec",
        "Codec",
        "\n# The sidecar of a recording names its venue: then the codec reads it.\n",
        has_laws=True,
    ),
    "feed": Kind(
        "feed",
        "register_feeds",
        "Feed",
        "Feed",
        '\n[feed]\nuse = "{name}"\nurl = "ws://..."\nsymbols = ["BTC-USD"]\n',
        has_laws=True,
        also=(("register_codecs", "Codec", "FeedCodec"),),  # so that what the feed recorded can be played
    ),
    "model-backend": Kind(
        "model backend",
        "register_model_backends",
        "ModelBackend",
        "Backend",
        '\n# A bundle whose backend = "{name}" is opened by it.\n',
        has_laws=True,
    ),
    "strategy": Kind(
        "strategy",
        "register_strategies",
        "Strategy",
        "Strategy",
        '\n[[lanes]]\nmodel = "..."\nstrategy = {{ use = "{name}" }}\n',
        has_laws=False,
    ),
    "risk-policy": Kind(
        "risk policy", "register_risk_policies", "RiskPolicy", "Policy", '\n[[risk]]\nuse = "{name}"\n', has_laws=False
    ),
    "execution-adapter": Kind(
        "execution adapter",
        "register_execution_adapters",
        "ExecutionAdapter",
        "Adapter",
        '\n[[lanes]]\nmodel = "..."\nexecution = {{ use = "{name}" }}\n',
        has_laws=False,
    ),
}


def part_files(kind: Kind, name: str) -> dict[Path, str]:
    """The text of a part in one file, and of its tests."""
    return {Path(f"{name}.py"): _part(kind, name, name), Path(f"test_{name}.py"): _part(kind, name, name, test=True)}


def plugin_files(name: str, kinds: Sequence[Kind]) -> dict[Path, str]:
    """The text of every file of a distribution with one part of each kind; all lie in one folder."""
    package = f"vtframe_{name}"
    distribution = package.replace("_", "-")
    words = [kind.word for kind in kinds]
    listed = " and ".join([", ".join(f"one {word}" for word in words[:-1])] * (len(words) > 1) + [f"one {words[-1]}"])
    given = [(kind, kind.hook, kind.api, _cls(kind, name)) for kind in kinds]
    given += [(kind, hook, api, _stem(name) + suffix) for kind in kinds for hook, api, suffix in kind.also]
    api = sorted({"hookimpl", *(one[2] for one in given)}, key=lambda text: (text.islower(), text))
    imports = [f"from vtframe.api import {', '.join(api)}"]
    modules = {kind: ", ".join(cls for other, _, _, cls in given if other is kind) for kind in kinds}
    imports += sorted(f"from {package}.{_module(kind)} import {classes}" for kind, classes in modules.items())
    hooks = [
        f"@hookimpl\ndef {hook}() -> Sequence[type[{base}]]:\n    return ({', '.join(c for _, h, _, c in given if h == hook)},)"
        for hook, base in dict.fromkeys((one[1], one[2]) for one in given)
    ]
    names = {
        "name": name,
        "package": package,
        "distribution": distribution,
        "kinds": listed,
        "imports": "\n".join(imports),
        "hooks": "\n\n\n".join(hooks),
        "uses": "".join(kind.use.format(name=name) for kind in kinds),
    }
    files = {
        Path("pyproject.toml"): _filled("plugin_pyproject", names),
        Path("README.md"): _filled("plugin_readme", names),
        Path(package, "__init__.py"): _filled("plugin_init", names),
        Path(package, "py.typed"): "",
    }
    for kind in kinds:
        module = f"{package}.{_module(kind)}"
        files[Path(package, f"{_module(kind)}.py")] = _part(kind, name, module)
        files[Path("tests", f"test_{name}_{_module(kind)}.py")] = _part(kind, name, module, test=True)
    return {Path(distribution) / path: text for path, text in files.items()}


def write(files: Mapping[Path, str]) -> None:
    """Write all of the files. Raises InputError, before anything is written, where one of them is there already."""
    for taken in [path for file in files for path in (file.parents[-2] if len(file.parents) > 1 else file,) if path.exists()]:
        raise InputError(str(taken), "is there already, and nothing is overwritten", "choose another name or another folder")
    for file, text in files.items():
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("x", encoding="utf-8") as out:
                out.write(text)
        except OSError as e:
            raise InputError(str(file), f"cannot be written: {e.strerror}") from None


def _part(kind: Kind, name: str, module: str, *, test: bool = False) -> str:
    template = ("test_" if test else "") + _module(kind)
    return _filled(template, {"name": name, "cls": _cls(kind, name), "module": module})


def _filled(template: str, names: Mapping[str, str]) -> str:
    text = resources.files("vtframe.cli").joinpath("templates", f"{template}.txt").read_text(encoding="utf-8")
    return Template(text).substitute(names)


def _module(kind: Kind) -> str:
    return kind.word.replace(" ", "_")


def _cls(kind: Kind, name: str) -> str:
    return _stem(name) + kind.suffix


def _stem(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))
