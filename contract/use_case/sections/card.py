"""What the model card says and no computation can know."""

from contract.use_case.sections.section import Section


class Card(Section):
    """What the model card says and no computation can know."""

    intended_use: str = ""
    """What the model is made for."""
    out_of_scope: str = ""
    """What it must not be used for."""
    limits: tuple[str, ...] = ()
    """What a user must know of it, one sentence each."""
