"""Make mutants of modules by cosmic-ray's operators; run by an environment of mutants.lock.

Reads a JSON document on standard input: `seed`, and for each module how many mutants are wanted
(`{"seed": 1, "modules": {"contract/store/cells.py": 20}}`). Prints a list of mutants, each with its
module, operator, line, what the line was and is, and the whole source.
"""

import ast
import difflib
import hashlib
import json
import sys
from collections import Counter
from pathlib import Path

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

# Left out: `==` for `is` and the like, which change nothing where one of the two is None and which
# a linter tells apart; names of exceptions, of which cosmic-ray breaks those with a dot.
LEFT_OUT = (
    "RemoveDecorator",
    "_Is_Eq",
    "_Eq_Is",
    "_IsNot_NotEq",
    "_NotEq_IsNot",
    "NoOp",
    "ExceptionReplacer",
)


def operators():
    """Those that need no arguments, by name."""
    found = {}
    for name in operator_names():
        kind = get_operator(name)
        if not kind.arguments() and not name.endswith(LEFT_OUT):
            found[name] = kind()
    return found


def unseen(source):
    """What a type checker reads, annotations and decorators (`frozen=True`), as pairs of places."""
    places = []
    for node in ast.walk(ast.parse(source)):
        found = [getattr(node, name, None) for name in ("annotation", "returns")]
        found += [k.value for k in getattr(node, "keywords", ()) if k.arg == "frozen"]
        for part in (*found, *getattr(node, "decorator_list", ())):
            if part is not None:
                ends = (part.end_lineno, part.end_col_offset)
                places.append(((part.lineno, part.col_offset), ends))
    return places


def candidates(source):
    """(place, operator, occurrence) of every change that a test could see."""
    silent = unseen(source)
    nodes = list(ast_nodes(get_ast(source)))
    for name, operator in operators().items():
        count = Counter()
        for node in nodes:
            for start, end in operator.mutation_positions(node):
                occurrence = count[name]
                count[name] += 1
                if not any(first <= start and end <= last for first, last in silent):
                    yield (start, end), name, occurrence


def chosen(module, source, seed, n_mutants):
    """So many mutants, each in another place: those whose line has the smallest hash.

    A change of other lines leaves them as they are.
    """
    lines, by_place = source.split("\n"), {}
    for place, name, occurrence in candidates(source):
        (line, column), _ = place
        said = f"{seed} {module} {lines[line - 1]} {column} {name} "
        order = hashlib.sha256(said.encode()).hexdigest()
        by_place.setdefault(place, []).append((order, name, occurrence))
    first = sorted(min(found) for found in by_place.values())
    return [(name, occurrence) for _, name, occurrence in first][:n_mutants]


def mutant(module, source, name, occurrence):
    """One mutant, with what the changed line was and is."""
    changed = mutate_code(source, get_operator(name)(), occurrence)
    was, now = source.split("\n"), changed.split("\n")
    matcher = difflib.SequenceMatcher(None, was, now, autojunk=False)
    edits = [edit for edit in matcher.get_opcodes() if edit[0] != "equal"]
    _, low, high, from_, to = edits[0]
    return {
        "module": module,
        "operator": name.partition("/")[2],
        "line": low + 1,
        "was": "\n".join(line.strip() for line in was[low:high]),
        "now": "\n".join(line.strip() for line in now[from_:to]),
        "source": changed,
    }


def main():
    """The mutants that are asked for."""
    asked = json.load(sys.stdin)
    made = []
    for module, n_mutants in asked["modules"].items():
        source = Path(module).read_text(encoding="utf-8")
        for name, occurrence in chosen(module, source, asked["seed"], n_mutants):
            made.append(mutant(module, source, name, occurrence))
    json.dump(made, sys.stdout)


if __name__ == "__main__":
    main()
