"""How numbers are written: the sign of decimals, and the one between thousands."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pipelines.proposing.inferred import Certainty, Inferred
from pipelines.proposing.question import Question

# Digits with points, commas, spaces or apostrophes between them.
NUMBERISH = re.compile(r"\s*[+-]?\d[\d.,' \u00a0\u202f]*\s*%?\s*")
GROUPED = r"[+-]?[1-9]\d{{0,2}}({sign}\d{{3}})+"
BARE = r"[+-]?(\d+|\d*{point}\d+|\d+{point})([eE][+-]?\d+)?"


@dataclass(frozen=True)
class NumberForm:
    """Signs of decimals and thousands with why; a question where two readings are possible."""

    decimal: Inferred[str]
    thousands: Inferred[str | None]
    questions: tuple[Question, ...] = ()


PLAIN = NumberForm(Inferred(".", "no number is written otherwise"), Inferred(None, ""))


def number_form(cells: Mapping[str, Iterable[str]], answer: str = "") -> NumberForm:
    """The form of the numbers in these columns of texts, by name; `answer` to its question.

    1,5 shows a comma of decimals and 1,234,567 or 1,234.5 one of thousands; 1,234 alone may be
    either.
    """
    shown = {name: [c.strip() for c in column] for name, column in cells.items()}
    numeric = {n: c for n, c in shown.items() if c and all(map(NUMBERISH.fullmatch, c))}
    texts = [cell for column in numeric.values() for cell in column]
    commas = [cell for cell in texts if "," in cell]
    if not commas:
        return _without_commas(texts)
    decides_decimal = next((c for c in commas if _is_decimal(c, ",")), "")
    decides_thousands = next((c for c in commas if _is_grouped(c, ",")), "")
    if decides_decimal and not decides_thousands:
        return _decimal_comma(texts, decides_decimal)
    if decides_thousands:
        why = f"a number is written {decides_thousands}"
        return NumberForm(Inferred(".", why), Inferred(",", why))
    return _either(
        next(n for n, c in numeric.items() if any("," in t for t in c)), commas[0], answer
    )


def _is_decimal(cell: str, sign: str) -> bool:
    """Whether its comma can't stand between thousands: 1,5 or 0,123 or 1.234,5."""
    return (
        cell.count(sign) == 1
        and not re.fullmatch(GROUPED.format(sign=sign), cell)
        and (cell.rfind(sign) > cell.rfind("."))
    )


def _is_grouped(cell: str, sign: str) -> bool:
    """Whether its commas can only stand between thousands: 1,234,567 or 1,234.5."""
    many = cell.count(sign) > 1
    return bool(re.fullmatch(GROUPED.format(sign=sign) + r"(\.\d*)?", cell)) and (
        many or "." in cell
    )


def _decimal_comma(texts: list[str], example: str) -> NumberForm:
    why = f"a number is written {example}"
    grouped = next((t for t in texts if re.match(GROUPED.format(sign=r"\."), t)), "")
    thousands = Inferred(".", f"a number is written {grouped}") if grouped else Inferred(None, "")
    return NumberForm(Inferred(",", why), thousands if grouped else _spaced(texts))


def _without_commas(texts: list[str]) -> NumberForm:
    for sign in (" ", "'", "\u00a0", "\u202f"):
        grouped = GROUPED.format(sign=sign) + r"(\.\d*)?"
        if example := next((t for t in texts if re.fullmatch(grouped, t)), ""):
            return NumberForm(PLAIN.decimal, Inferred(sign, f"a number is written {example}"))
    return PLAIN


def _spaced(texts: list[str]) -> Inferred[str | None]:
    found = _without_commas([t.partition(",")[0] for t in texts])
    return found.thousands


def _either(column: str, example: str, answer: str) -> NumberForm:
    thousands, decimals = "thousands", "decimals"
    whole = example.replace(",", "")
    question = Question(
        "comma",
        f"{column} holds numbers like {example}. Does the comma stand between "
        f"thousands ({whole}; thousands: ',') or before decimals ({example.replace(',', '.')}; "
        "decimal: ',')?",
        thousands,
        (thousands, decimals),
    )
    sure: Certainty = "sure" if answer else "a guess"
    why = f"numbers are written {example}"
    if answer == decimals:
        return NumberForm(Inferred(",", why), Inferred(None, ""), (question,))
    return NumberForm(Inferred(".", why, sure), Inferred(",", why, sure), (question,))
