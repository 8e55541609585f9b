"""Errors that speak to the person who can mend them; each carries the exit code of the command."""


class FourcycleError(Exception):
    """One clear sentence: what was asked, what was found, what would be right."""

    exit_code = 1


class Refused(FourcycleError):
    """The answer is no, or a step failed on its data."""


class BadInput(FourcycleError):
    """Usage, input or configuration is wrong; running again unchanged will not help."""

    exit_code = 2


class Unavailable(FourcycleError):
    """A needed system is away; try again later."""

    exit_code = 3


class Busy(FourcycleError):
    """Another process is doing the same work; there is nothing left to do here."""

    exit_code = 0
