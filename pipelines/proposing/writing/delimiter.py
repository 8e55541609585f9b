"""The delimiter of a CSV file: the sign by which all lines have one width."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from contract.errors import BadInput
from pipelines.proposing.inferred import Inferred

DELIMITERS = (",", ";", "\t", "|")
FIRST_LINES = 1000
NAMED_LINES = 5

# The fields of each line and its number, under a delimiter; from the start each time.
Lines = Callable[[str], Iterator[tuple[list[str], int]]]


def delimiter_of(lines: Lines, address: str) -> Inferred[str]:
    """The one delimiter under which the first lines have one width, of more than one field.

    The reader of all rows then holds every other line to that. BadInput names the lines that differ
    where there is none.
    """
    widths, unread = dict[str, list[tuple[int, int]]](), list[BadInput]()
    for sign in DELIMITERS:
        try:
            widths[sign] = [
                (len(fields), line) for fields, line in islice(lines(sign), FIRST_LINES)
            ]
        except BadInput as error:  # between other signs what opens a quote may be a part of a field
            unread.append(error)
    if not widths:
        raise unread[0]
    constant = {s: w[0][0] for s, w in widths.items() if w and len({n for n, _ in w}) == 1}
    wide = {sign: width for sign, width in constant.items() if width > 1}
    if wide:
        sign = max(wide, key=wide.__getitem__)
        return Inferred(sign, f"{wide[sign]} fields in every line")
    names = {sign: w[0][0] for sign, w in widths.items() if w}
    if not names or max(names.values()) == 1:
        raise BadInput(
            f"data: {address} has one column by every delimiter ({', '.join(map(repr, DELIMITERS))}"
            "); a target and something to predict it from are needed."
        )
    sign = max(names, key=names.__getitem__)
    raise ragged(address, sign, names[sign], [(n, at) for n, at in widths[sign]])


def ragged(address: str, sign: str, n_names: int, widths: Sequence[tuple[int, int]]) -> BadInput:
    """What is said of lines with more or fewer fields: width and number of each line."""
    wrong = [(n, line) for n, line in widths if n != n_names][:NAMED_LINES]
    said = ", ".join(f"line {line} has {n}" for n, line in wrong)
    return BadInput(
        f"data: {address} has {n_names} names between {sign!r} in its first line, but {said}; a "
        "field that holds the delimiter or a line break needs quotes. No line is skipped: mend "
        "the file."
    )
