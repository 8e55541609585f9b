"""Read a use case from YAML; a wrong file gives every error at once, each with its path."""

import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar, get_args
from zoneinfo import ZoneInfo, available_timezones

import yaml
from pydantic import BaseModel, ValidationError

from contract.errors import BadInput
from contract.names import USE_CASE_FILE
from contract.use_case.document import Document, read_document, read_file
from contract.use_case.features import mistakes
from contract.use_case.model import UseCase
from contract.use_case.retired import renewed
from contract.use_case.sections.source import SourcePlace
from contract.use_case.vain_values import vain_values

P = TypeVar("P", bound=SourcePlace)
SHIPPED = Path(__file__).resolve().parents[2] / "use_cases"


def load_use_case(reference: str) -> UseCase:
    """The use case of a shipped name (`flights`) or a path to a YAML file.

    BadInput where there is no such file, or by place and nearest word what is wrong in it.
    """
    path = _locate(reference)
    return parse_use_case(read_file(path), str(path), path.resolve().parent)


def parse_use_case(text: str, name: str, folder: Path) -> UseCase:
    """The use case in `text`; `name` is what errors call it, `folder` anchors relative paths.

    BadInput names every mistake at once.
    """
    document = read_document(text, name)
    raw = document.values
    _refuse_open_questions(raw, name)
    of_files = [*_not_of_files(raw), *vain_values(raw), *_misread(document)]
    return _validated(document, name, folder, of_files)


def _refuse_open_questions(raw: dict[str, Any], name: str) -> None:
    """BadInput where `init` asked what nobody has answered yet; without lines it asks nothing."""
    asked = raw.pop("ask", None)
    if not asked:
        return
    questions = asked.items() if isinstance(asked, dict) else enumerate(asked, 1)
    lines = "".join(f"\n  - {at}: {said}" if said else f"\n  - {at}" for at, said in questions)
    raise BadInput(
        f"{name} asks what only you can answer: mend the lines of each question, then delete it "
        f"from `ask`, or write the file anew by fourcycle init … --overwrite yes --answers "
        f"'{'; '.join(f'{at}=…' for at, _ in questions)}':{lines}"
    )


def parse_frozen(text: str, folder: Path) -> UseCase:
    """The copy in a version's package, whatever release of Fourcycle wrote it."""
    document = read_document(text, USE_CASE_FILE)
    renamed = Document(renewed(document.values), document.words)
    return _validated(renamed, USE_CASE_FILE, folder)


def frozen(use_case: UseCase) -> str:
    """The use case as YAML that reads back as the same value."""
    plain = use_case.model_dump(mode="json", exclude_defaults=True)
    text: str = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)
    if "\x85" in text:  # where it stands as it is, PyYAML reads a space
        text = yaml.safe_dump(plain, sort_keys=False)
    return text


def nearest(word: str, known: list[str]) -> str:
    """A hint that names the nearest known word, or all of them when none is near."""
    close = get_close_matches(word, known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"known here: {', '.join(sorted(known))}"


def _validated(
    document: Document, name: str, folder: Path, problems: Sequence[str] = ()
) -> UseCase:
    raw = document.values
    problems = [*problems, *_unknown_columns(raw), *_time_zone(raw)]
    try:
        use_case = UseCase.model_validate(raw)
        problems = problems or [*mistakes(use_case, nearest)]
    except ValidationError as error:
        problems = [_sentence(e, document) for e in error.errors()] + problems
    if problems:
        lines = "\n".join(f"  - {problem}" for problem in dict.fromkeys(problems))
        raise BadInput(f"{name} is not a usable use case:\n{lines}")
    return _anchor(use_case, folder)


def _locate(reference: str) -> Path:
    if "/" in reference or reference.endswith((".yaml", ".yml")):
        path = Path(reference).expanduser()
        if path.is_dir():
            raise BadInput(f"{path.absolute()} is a folder; the YAML file of a use case is needed.")
        if not path.is_file():
            raise BadInput(f"No use case file at {path.absolute()}; an absolute path is safest.")
        return path
    path = SHIPPED / f"{reference}.yaml"
    if not path.is_file():
        shipped = sorted(p.stem for p in SHIPPED.glob("*.yaml"))
        raise BadInput(f"No shipped use case {reference!r}: {nearest(reference, shipped)}")
    return path


def _anchor(use_case: UseCase, folder: Path) -> UseCase:
    update: dict[str, object] = {"source": _anchored(use_case.source, folder)}
    if batch := use_case.batch:
        slash = "/" if batch.target.endswith("/") else ""  # a folder, which a path does not say
        target = _absolute(batch.target, folder).rstrip("/") + slash
        places = {"source": _anchored(batch.source, folder), "target": target}
        update["batch"] = batch.model_copy(update=places)
    return use_case.model_copy(update=update)


def _anchored(place: P, folder: Path) -> P:
    """A place whose relative paths are those of the folder."""
    update: dict[str, object] = {"folder": str(folder)}
    for kind in ("parquet", "json_lines"):
        if path := getattr(place, kind):
            update[kind] = _absolute(path, folder)
    for kind in ("csv", "delta"):
        if named := getattr(place, kind):
            update[kind] = named.model_copy(update={"path": _absolute(named.path, folder)})
    return place.model_copy(update=update)


def _absolute(path: str, folder: Path) -> str:
    try:
        return path if "://" in path else str(folder / Path(path).expanduser())
    except RuntimeError:  # of the user ~name
        raise BadInput(
            f"source: no home folder of {Path(path).parts[0]} is known; write the whole path."
        ) from None


def _not_of_files(raw: dict[str, Any]) -> Iterator[str]:
    """The one field that is set by who reads a file, in a file."""
    batch = raw.get("batch")
    inner = batch.get("source") if isinstance(batch, dict) else None
    places = {("source",): raw.get("source"), ("batch", "source"): inner}
    for path, place in places.items():
        if isinstance(place, dict) and "folder" in place:
            hint = nearest("folder", _fields_at(path, ()))
            yield f"{'.'.join(path)}.folder: unknown key; {hint}"


def _unknown_columns(raw: dict[str, Any]) -> Iterator[str]:
    """Every place that names a column which `columns` does not declare."""
    columns = raw.get("columns")
    if not isinstance(columns, dict):
        return
    split, evaluation, monitoring = (raw.get(n) for n in ("split", "evaluation", "monitoring"))
    places: dict[str, object] = {"event_time": raw.get("event_time"), "target": raw.get("target")}
    places["weight"] = raw.get("weight")
    places |= _numbered("keys", raw.get("keys"))
    if isinstance(split, dict) and split.get("by") == "group":
        places["split.column"] = split.get("column")
    yield from _strangers(places, list(columns))
    watched: dict[str, object] = {}
    if isinstance(evaluation, dict):
        watched |= _numbered("evaluation.slices", evaluation.get("slices"))
    if isinstance(monitoring, dict):
        watched |= _numbered("monitoring.slices", monitoring.get("slices"))
        beside = ("prediction", "label")
        limits = [n for n in monitoring.get("effect_limits") or () if n not in beside]
        watched |= _numbered("monitoring.effect_limits", limits)
    yield from _strangers(watched, [*columns, *_computed(raw, columns)])
    if isinstance(split, dict) and split.get("by") == "time" and not raw.get("event_time"):
        yield "event_time: a split by time needs an event_time column"
    kind = _declared_type(columns, raw.get("event_time"))
    if kind not in (None, "timestamp"):
        yield f"event_time: a timestamp column is needed, {raw['event_time']} is declared {kind}"


def _strangers(places: dict[str, object], known: list[str]) -> Iterator[str]:
    for path, name in places.items():
        if isinstance(name, str) and name not in known:
            yield f"{path}: no column {name!r} is declared; {nearest(name, known)}"


def _computed(raw: dict[str, Any], columns: dict[Any, Any]) -> Iterator[str]:
    """Names of parts and derived columns, which may be sliced by and watched like others."""
    for name, column in columns.items():
        parts = column.get("parts") if isinstance(column, dict) else None
        if isinstance(parts, list):
            yield from (f"{name}_{part}" for part in parts)
    derived = raw.get("derived")
    yield from map(str, derived if isinstance(derived, dict) else ())


def _declared_type(columns: dict[Any, Any], name: object) -> object:
    column = columns.get(name) if isinstance(name, str) else None
    return column.get("type") if isinstance(column, dict) else None


def _misread(document: Document) -> Iterator[str]:
    """A positive class that YAML made something else of than the text that the target holds."""
    raw, word = document.values, document.word(("positive",))
    columns = raw.get("columns")
    kind = _declared_type(columns, raw.get("target")) if isinstance(columns, dict) else None
    if word and kind == "string":
        yield f"positive: {_to_quote(word, raw['positive'])}"


def _time_zone(raw: dict[str, Any]) -> Iterator[str]:
    zone = raw.get("time_zone", "UTC")
    try:
        known = isinstance(zone, str) and ZoneInfo(zone)
    except (ValueError, OSError, KeyError):
        known = False
    if not known and isinstance(zone, str):
        close = get_close_matches(zone, sorted(available_timezones()), n=1)
        hint = f"did you mean {close[0]!r}?" if close else "one like Europe/Berlin is needed"
        yield f"time_zone: no zone of the name {zone!r} is known; {hint}"


def _to_quote(word: str, read: object) -> str:
    kinds = {bool: str(read).lower(), int: "a number", float: "a number", type(None): "nothing"}
    said = kinds.get(type(read), "a day")
    return f"a text is needed, and YAML reads {word} as {said}; quote it: '{word}'"


def _numbered(path: str, names: object) -> dict[str, object]:
    return {f"{path}[{i}]": n for i, n in enumerate(names)} if isinstance(names, list) else {}


def _sentence(error: Any, document: Document) -> str:
    # A discriminated union puts its tag into the location; it is no key of the file.
    loc = tuple(p for p in error["loc"] if p not in ("time", "group", "random"))
    path = ".".join(str(part) for part in loc) or "(file)"
    if error["type"] == "extra_forbidden":
        return f"{path}: unknown key; {nearest(str(loc[-1]), _fields_at(loc[:-1], error['loc']))}"
    if error["type"] == "missing":
        return f"{path}: is missing"
    if error["type"] == "string_type" and (word := document.word(loc)):
        return f"{path}: {_to_quote(word, error['input'])}"
    message = error["msg"].removeprefix("Value error, ")
    found = error.get("input")
    plain = isinstance(found, str | int | float | bool)
    said = f", found {found!r}" if plain else ""
    if error["type"] == "literal_error" and isinstance(found, str):
        close = get_close_matches(found, re.findall(r"'([^']*)'", error["ctx"]["expected"]), n=1)
        said += f"; did you mean {close[0]!r}?" if close else ""
    return f"{path}: {message}{said}"


def _fields_at(loc: tuple[str | int, ...], full: tuple[str | int, ...]) -> list[str]:
    """Names that are valid at a path: follow the annotations of the models down to it."""
    at: Any = UseCase
    for part in loc:
        model = _models(at)[0] if _models(at) else None
        if model and part in model.model_fields:
            at = model.model_fields[str(part)].annotation
    models = _models(at)
    tagged = [m for m in models if "by" in m.model_fields and _tag(m) in full]
    return [name for m in (tagged or models)[:1] for name in m.model_fields if name != "folder"]


def _tag(model: type[BaseModel]) -> str:
    return str(get_args(model.model_fields["by"].annotation)[0])


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for arg in get_args(annotation) for model in _models(arg)]
