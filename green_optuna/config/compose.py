"""From YAML files and ``key=value`` overrides to a checked :class:`RunConfig`."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from green_optuna.config.schema import RunConfig, key_paths
from green_optuna.errors import OptionError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping, Sequence

    from hydra.core.override_parser.types import Override
    from omegaconf import DictConfig


def conf_folder() -> Path:
    """Give the folder of the shipped configurations.

    It is ``green_optuna/conf`` where the package is installed, and the top-level ``conf`` in a
    checkout.
    """
    package = Path(__file__).parents[1]
    installed = package / "conf"
    return installed if installed.is_dir() else package.parent / "conf"


def load_config(
    overrides: Sequence[str] = (),
    *,
    config_name: str = "config",
    config_dir: str | os.PathLike[str] | None = None,
) -> RunConfig:
    """Compose a configuration with Hydra and check it; no file is written.

    A configuration need not have all the keys: those that it leaves out have the defaults that
    ``conf/config.yaml`` shows.

    Args:
        overrides: What to change, as ``"study.n_trials=50"``, in Hydra's syntax.
        config_name: The name of a YAML file, without its ending.
        config_dir: The folder of that file; the shipped one unless given.

    Raises:
        OptionError: The file does not exist or cannot be read; a key is unknown, or a value
            cannot be used; there is no objective.
    """
    folder = Path(conf_folder() if config_dir is None else config_dir).resolve()
    name = config_name.removesuffix(".yaml")
    _check_file(folder, name)
    values = _compose(folder, name, [_checked(text, folder) for text in overrides])
    _check_keys(values, name)
    return _typed(values)


def _check_file(folder: Path, name: str) -> None:
    if not folder.is_dir():
        raise OptionError(f"There is no folder {str(folder)!r}: pass --config-dir with another.")
    if not (folder / f"{name}.yaml").is_file():
        there = ", ".join(sorted(path.stem for path in folder.glob("*.yaml"))) or "none"
        raise OptionError(
            f"There is no configuration {name!r} in {str(folder)!r}: there is {there}. Pass "
            "--config-name with one of them, or --config-dir with another folder."
        )


def _compose(folder: Path, name: str, overrides: Sequence[str]) -> dict[str, Any]:
    """Let Hydra read the file and those that it names.

    Raises:
        OptionError: It cannot; the message holds Hydra's, or the YAML parser's.
    """
    from hydra import compose, initialize_config_dir
    from omegaconf import OmegaConf

    try:
        with initialize_config_dir(str(folder), version_base="1.3"):
            composed = compose(name, list(overrides))
        values: dict[str, Any] = OmegaConf.to_container(composed, resolve=True)  # type: ignore[assignment]  # a mapping with text for keys
    except Exception as error:
        said = " ".join(str(error).split())
        raise OptionError(f"The configuration {name!r} cannot be composed: {said}") from error
    return values


def _typed(values: dict[str, Any]) -> RunConfig:
    """Check each value against the type of its key.

    Raises:
        OptionError: One cannot be used, or there is no objective.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    schema = _writable(OmegaConf.structured(RunConfig))
    # A section whose keys are all commented out reads as null.
    sections = [key for key, has_keys in key_paths().items() if has_keys and "." not in key]
    filled = {k: v for k, v in values.items() if not (v is None and k in sections)}
    try:
        merged = OmegaConf.merge(schema, filled)
    except OmegaConfBaseException as error:
        # Of its lines, the first says what is wrong and the others where.
        said = str(error.msg or error).partition("\n")[0]
        raise OptionError(f"{error.full_key}: {said}.") from error
    if OmegaConf.is_missing(merged, "objective") or not merged.objective:
        raise OptionError(
            "There is no objective: write objective=path/to/file.py:function or "
            "objective=package.module:function."
        )
    config = OmegaConf.to_object(merged)
    assert isinstance(config, RunConfig)
    return config


def _writable(node: DictConfig) -> DictConfig:
    """Let frozen dataclasses be merged into: OmegaConf takes them for read-only."""
    from omegaconf import OmegaConf

    OmegaConf.set_readonly(node, False)
    for key, has_keys in key_paths().items():
        if has_keys:
            OmegaConf.set_readonly(OmegaConf.select(node, key), False)
    return node


def _checked(text: str, folder: Path) -> str:
    """Give an override as Hydra takes it for a key that the file need not have.

    Raises:
        OptionError: It is no override, gives several values, or its key is unknown.
    """
    key, equals, value = text.partition("=")
    if not equals and not text.startswith("~"):
        example = f"objective={text}" if ":" in text else "study.n_trials=50"
        raise OptionError(f"{text!r} is no override: write key=value, such as {example}.")
    name = key.lstrip("+~")
    if not key_paths().get(name, True):
        return text if key.startswith("~") else f"++{name}={_quoted(text, value)}"
    # A folder beside the file is a group of configurations, which Hydra looks after.
    if (folder / name.partition("@")[0]).is_dir():
        return text
    raise _unknown(name, "An override")


def _quoted(text: str, value: str) -> str:
    """Quote a value that Hydra's grammar cannot read, such as a URL with ``?a=b``.

    Raises:
        OptionError: It gives several values.
    """
    from hydra.errors import HydraException

    try:
        override = _parsed(text)
    except HydraException:
        escaped = value.replace("\\", "\\\\").replace("'", "\\'")
        return f"'{escaped}'"
    if override.is_sweep_override():
        raise OptionError(
            f"{text!r} gives several values, and a run has one: write [a,b] for a list, or "
            "quote a text that has a comma in it."
        )
    return value


def _parsed(text: str) -> Override:
    from hydra.core.override_parser.overrides_parser import OverridesParser

    return OverridesParser.create().parse_override(text)


def _check_keys(values: Mapping[str, Any], name: str) -> None:
    known = key_paths()
    for key, value in _items(values, known):
        one_for_many = known.get(key, False) and not (value is None or isinstance(value, dict))
        if key not in known or one_for_many:
            raise _unknown(key, f"The configuration {name!r}")


def _items(
    values: Mapping[str, Any], known: Mapping[str, bool], prefix: str = ""
) -> Iterator[tuple[str, Any]]:
    """Go through the keys, with their dots, down to those that hold no further ones."""
    for key, value in values.items():
        path = f"{prefix}{key}"
        yield path, value
        if known.get(path) and isinstance(value, dict):
            yield from _items(value, known, f"{path}.")


def _unknown(key: str, who: str) -> OptionError:
    """Make the error that names the nearest key."""
    known = key_paths()
    if known.get(key):
        inside = ", ".join(name for name in known if name.startswith(f"{key}."))
        return OptionError(f"{who} gives one value to {key!r}, which holds keys: {inside}.")
    leaves = [name for name, has_keys in known.items() if not has_keys]
    # Either the whole key is near, or its last part is that of a key elsewhere.
    last_parts = {name.rpartition(".")[2]: name for name in reversed(leaves)}
    near = difflib.get_close_matches(key, leaves, n=1) or [
        last_parts[part]
        for part in difflib.get_close_matches(key.rpartition(".")[2], last_parts, n=1)
    ]
    nearest = (near or difflib.get_close_matches(key, leaves, n=1, cutoff=0.0))[0]
    return OptionError(f"{who} has the key {key!r}, which there is not: did you mean {nearest!r}?")
