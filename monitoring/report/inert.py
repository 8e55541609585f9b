"""Texts of others on their way into Evidently's pages: shown as they are, followed by nobody.

Evidently writes column names and values as they are into a script of its page, and its drawings
read them once more as markup. A category that any caller may send would end the script and begin
one of its own. Escaped as HTML they would be unreadable in its tables, which escape them again. So
an invisible space follows each `<`, which then opens nothing, in HTML, script or drawing.
"""

import pandas as pd

OPENS, SPACED = "<", "<\u200b"


def inert(text: str) -> str:
    """A text that opens no element; no two texts become one."""
    return text.replace(OPENS, SPACED)


def inert_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with inert column names and inert texts in its columns of words."""
    words = {str(n): frame[n].map(_inert_value) for n in frame if frame[n].dtype.kind == "O"}
    return frame.assign(**words).rename(columns=inert)


def true_names(document: str) -> str:
    """Evidently's JSON, which programs read, with the texts as they were."""
    return document.replace(SPACED.encode("ascii", "backslashreplace").decode(), OPENS)


def _inert_value(value: object) -> object:
    return inert(value) if isinstance(value, str) else value
