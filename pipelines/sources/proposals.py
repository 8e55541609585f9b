"""What people often mean by a cell that can't be read, and the declaration that would read it."""

from collections.abc import Mapping

from contract.store.cells import PERCENT, BadCell, CellReader
from contract.use_case.local_time import NotOneMoment

MISSING_WORDS = ("NA", "N/A", "n/a", "#N/A", "null", "NULL", "nan", "NaN", "None", "-", "?", ".")
DAYS = ("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%Y%m%d")
CLOCKS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
MEANT: tuple[tuple[str, Mapping[str, object]], ...] = (
    ("numbers are written 1,5", {"decimal": ","}),
    ("numbers are written 1,234.5", {"thousands": ","}),
    ("numbers are written 1.234,5", {"decimal": ",", "thousands": "."}),
    ("numbers are written 1 234", {"thousands": " "}),
    ("numbers are written 1 234,5", {"decimal": ",", "thousands": " "}),
    ("numbers are written 1'234", {"thousands": "'"}),
    ("yes and no are meant", {"true_values": ("yes",), "false_values": ("no",)}),
    ("Yes and No are meant", {"true_values": ("Yes",), "false_values": ("No",)}),
    ("1 is true and 0 is false", {"true_values": ("1",), "false_values": ("0",)}),
    ("Y is true and N is false", {"true_values": ("Y",), "false_values": ("N",)}),
    *((f"{word} means no value", {"null_values": (word,)}) for word in MISSING_WORDS),
    *(
        ("times are written so", {"timestamp_format": day + clock})
        for day in DAYS
        for clock in CLOCKS
    ),
)


def proposal(text: str, reader: CellReader) -> str:
    """The declaration by which a cell that can't be read could be; "" where none is known.

    Its words are ours: of the text nothing is repeated.
    """
    column, form = reader.column, reader.form
    units = {"number": PERCENT, "integer": PERCENT, "timestamp": "s"}
    for case, changes in MEANT:
        if _reads(text, CellReader(column, form.model_copy(update=changes), reader.zone)):
            declared = ", ".join(f"{name}: {_yaml(value)}" for name, value in changes.items())
            return f"if {case}, declare csv: {{{declared}}}"
    if unit := units.get(column.type):
        unit_column = column.model_copy(update={"unit": unit})
        if _reads(text, CellReader(unit_column, form, reader.zone)):
            if unit == PERCENT:
                return "if it is a share in percent, declare unit: '%' at the column"
            return "if times are numbers (Unix time), declare unit: s, ms, us or ns at the column"
    return ""


def _reads(text: str, reader: CellReader) -> bool:
    try:
        reader.read(text)
    except NotOneMoment:
        return True
    except BadCell:
        return False
    return True


def _yaml(value: object) -> str:
    return f"[{', '.join(map(repr, value))}]" if isinstance(value, tuple) else repr(value)
