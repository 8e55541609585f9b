"""The reference of exit codes, from the errors that carry them."""

from contract.errors import FourcycleError
from docs.site.markdown import code, table

HEAD = """# Exit codes

Every command ends with one of four codes, so that cron, CI and scripts can act upon it. What a
person needs is one sentence on standard error: what was asked, what was found, what would be right.

"""
DONE = (
    "0",
    "",
    "Done. Also where there was nothing to do, and of `main` whose gate said no, which it prints.",
)
FEET = """
`monitor` answers 1 only with `--fail-on drift`.
"""


def page() -> str:
    """The whole page."""
    ours = FourcycleError.__module__  # other rooms refine them and keep their codes
    kinds = [kind for kind in FourcycleError.__subclasses__() if kind.__module__ == ours]
    rows = [
        (str(kind.exit_code), code(kind.__name__), (kind.__doc__ or "").split("\n")[0])
        for kind in sorted(kinds, key=lambda kind: kind.exit_code)
    ]
    return HEAD + table(("code", "error", "means"), [DONE, *rows]) + FEET.lstrip()
