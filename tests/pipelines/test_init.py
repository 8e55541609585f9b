"""The command: messy files and what must be asked of each, a terminal, answers by hand."""

import io
import os
import pickle
import pty
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.datasets import load_breast_cancer

from contract.errors import BadInput
from contract.use_case.loader import load_use_case
from contract.use_case.model import UseCase
from pipelines.check import check
from pipelines.init import ask_person, from_folder, main, name_of
from pipelines.proposing.checking.registry import stop_at_errors
from pipelines.proposing.question import Question

N_ROWS = 60
RANDOM = np.random.default_rng(0)
Y = [*RANDOM.permutation([0, 1] * (N_ROWS // 2))]
X = RANDOM.normal(size=N_ROWS).round(3)


def table(**columns: object) -> str:
    """A CSV file of a noisy number, a target of two values and these columns beside them."""
    return pd.DataFrame({"x": X, **columns, "y": Y}).to_csv(index=False)


def propose(home: Path, content: str | bytes, **options: str) -> dict[str, str]:
    """The questions that the written file asks, by name; {} where it loads and passes the check."""
    raw = content.encode() if isinstance(content, str) else content
    (home / "t.csv").write_bytes(raw)
    try:
        main("t.csv", **{"target": "y", "overwrite": "yes", **options})
    except BadInput:
        written = yaml.safe_load((home / "use_cases/t.yaml").read_text(encoding="utf-8"))
        return dict.fromkeys(written["ask"], "")
    return {}


def proposed(home: Path) -> UseCase:
    return load_use_case(str(home / "use_cases/t.yaml"))


def refused(home: Path, content: str | bytes) -> str:
    with pytest.raises(BadInput) as error:
        (home / "t.csv").write_bytes(content.encode() if isinstance(content, str) else content)
        main("t.csv", target="y")
    assert not (home / "use_cases").exists()
    return str(error.value)


DAYS = [f"0{1 + n % 9}/0{1 + n % 7}/2024" for n in range(N_ROWS)]
NAIVE = [str(t) for t in pd.date_range("2024-01-01", periods=N_ROWS, freq="h")]
CITY = ["Köln", "Zürich", "Genève"] * (N_ROWS // 3)
NA = ["NA", "US", "DE"] * (N_ROWS // 3)
MESSY: dict[str, tuple[str | bytes, set[str]]] = {
    "Latin-1": (table(city=CITY).encode("latin-1"), {"encoding"}),
    "UTF-16": (table(city=CITY).encode("utf-16"), set()),
    "a byte order mark": (table(city=CITY).encode("utf-8-sig"), set()),
    "decimal commas": (table().replace(",", ";").replace(".", ","), set()),
    "thousands or decimals": (
        table(price=[f"{n},234" for n in range(1, N_ROWS + 1)]),
        {"comma"},
    ),
    "NA in text alone": (table(country=NA), set()),
    "NA in text and numbers": (
        table(country=NA, size=[*["NA"] * 5, *X[5:]]),
        {"null_values"},
    ),
    "day or month first": (table(day=DAYS), {"timestamp_format", "time_zone"}),
    "a day above 12": (table(day=["31/01/2024", *DAYS[1:]]), {"time_zone"}),
    "naive times": (table(at=NAIVE), {"time_zone"}),
    "several times": (table(at=NAIVE, seen=NAIVE), {"event_time", "time_zone"}),
    "leading zeros": (table(zip=[f"0{1000 + n % 7}" for n in range(N_ROWS)]), set()),
    "a header with one name twice": (
        table(a=X, b=X).replace("x,a,b,y", "x,a,a,y"),
        {"duplicates"},
    ),
    "quoted line breaks": (table(remark=["one\ntwo", "three"] * (N_ROWS // 2)), set()),
    "a leak": (table(churned=[f"c{v}" for v in Y]), {"leakage"}),
    "an entity that comes again": (
        table(patient_id=[n // 4 for n in range(N_ROWS)]),
        {"split"},
    ),
    "e-mail addresses": (table(mail=[f"a{n}@example.org" for n in range(N_ROWS)]), set()),
    "a constant and an empty column": (table(one=1, none=None), set()),
    "odd names": (
        table(**{"a b": X, "it's": X, "#n: {x}": X, '"q"': X, "größe": X, "- [yes]": X}),
        set(),
    ),
    "lists": (table(tags=["['a', 'b']", "['c']"] * (N_ROWS // 2)), set()),
    "numbers of rows without a name": (f",{table()}".replace("\n", "\n7,", N_ROWS), set()),
    "classes that are written as numbers": (
        table(g=1).replace(",1,0", ",0.0").replace(",1,1", ",1.0").replace("g,", ""),
        set(),
    ),
    "more lines than tell the delimiter": (table() + "0.5,1\n" * 1200, set()),
}


@pytest.mark.parametrize("name", MESSY)
def test_what_must_be_asked_of_a_messy_file_is_asked(home: Path, name: str) -> None:
    content, questions = MESSY[name]
    asked = propose(home, content)
    assert asked.keys() == questions
    if questions:
        with pytest.raises(BadInput, match="asks what only you can answer"):
            proposed(home)
        path = home / "use_cases/t.yaml"
        answered = yaml.safe_load(path.read_text(encoding="utf-8")) | {"ask": None}
        path.write_text(yaml.safe_dump(answered), encoding="utf-8")
    stop_at_errors(name, check(proposed(home)).findings)


def archive() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("xl/workbook.xml", "")
    return packed.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (archive(), "an Excel file or another archive can't be read"),
        (b"\xd0\xcf\x11\xe0 old", "an Excel file can't be read"),
        (pickle.dumps({"x": 1}), "a pickle can't be read"),
        (table() + "1,2,3\n4\n", "but line 62 has 3, line 63 has 1; a field that holds"),
        ("1.5,0\n2.5,1\n3.5,0\n", "holds values, not names (1.5, 0)"),
        ("y\n1\n0\n", "one column by every delimiter"),
        ("", "is empty"),
        (b"PAR1 and nothing more", "source.parquet: "),
        (table() + "0.5,1\n" * 1200 + "1,2,3\n", "but line 1262 has 3; a field that holds"),
        ("one,y\n" + "1,0\n1,1\n" * 30, "no column is left to predict y from: one: the same value"),
        (
            "day,y\n" + "".join(f"2024-01-1{n % 9},{n % 2}\n" for n in range(60)),
            "predict y from: day is its key or its time",
        ),
        ("x,y\n", "holds names and no rows"),
        ("x,z\n1,2\n2,3\n", "target: no column 'y'; there are x, z"),
        ("x,y\n1,0\n2,0\n", "y has one value in all 2 rows"),
        (table(a=X).replace("x,a,y", "x,y,y"), "stands more than once"),
        (f"x,y\n{''.join(f'{n},w{n}{chr(10)}' for n in range(50))}", "50 different texts"),
        ("<html><body>", "a page of HTML or XML"),
        ('[{"x": 1, "y": 2}]', "one JSON array"),
    ],
)
def test_a_file_that_can_t_be_read_or_predicted_is_refused(
    home: Path, content: str | bytes, said: str
) -> None:
    assert said in refused(home, content)


def test_breast_cancer_asks_nothing(home: Path) -> None:
    load_breast_cancer(as_frame=True).frame.to_csv(home / "t.csv", index=False)
    main("t.csv", target="target")
    use_case = proposed(home)
    assert (use_case.task, use_case.positive, use_case.keys) == ("binary", 0, ())
    assert len(use_case.features) == 30
    assert use_case.source.csv
    assert Path(use_case.source.csv.path).resolve() == home / "t.csv"
    assert not [f for f in check(use_case).findings if f.severity != "note"]


def test_whole_numbers_are_classes_or_a_number_as_a_person_says(home: Path) -> None:
    grades = table().replace("y\n", "was,y\n").splitlines()
    content = "\n".join([grades[0], *(f"{row},{n % 5}" for n, row in enumerate(grades[1:]))])
    assert propose(home, content).keys() == {"task"}
    main("t.csv", target="y", overwrite="yes", answers="task=regression")
    assert (proposed(home).task, proposed(home).evaluation.metric) == ("regression", "rmse")
    main("t.csv", target="y", overwrite="yes", answers="task=multiclass")
    assert (proposed(home).task, proposed(home).evaluation.metric) == ("multiclass", "log_loss")


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ("task=regresion", "did you mean 'regression'"),
        ("tusk=regression", "did you mean 'task'"),
        ("regression", "name=answer is needed"),
        ("time_zone=Berlin", "no zone of the name 'Berlin'"),
        ("encoding=klingon", "no encoding that Python knows, found 'klingon'"),
        ("encoding=ascii", "is not written in ascii"),
    ],
)
def test_an_answer_that_is_none_is_refused(home: Path, answers: str, said: str) -> None:
    columns = {"at": NAIVE, "g": [n % 4 for n in range(N_ROWS)], "city": CITY}
    (home / "t.csv").write_text(table(**columns), encoding="latin-1")
    with pytest.raises(BadInput, match=said):
        main("t.csv", target="g", answers=answers)


def test_an_encoding_is_the_one_that_a_person_names(home: Path) -> None:
    assert propose(home, table(city=CITY).encode("latin-1"), answers="encoding=latin-1") == {}
    assert proposed(home).csv_format.encoding == "iso8859-1"
    assert proposed(home).columns["city"].categories == ("Genève", "Köln", "Zürich")


def test_a_leak_is_kept_where_a_person_says_so(home: Path) -> None:
    content = table(churned=[f"c{v}" for v in Y])
    assert propose(home, content).keys() == {"leakage"}
    assert propose(home, content, answers="leakage=keep") == {}
    assert "churned" in proposed(home).features


def test_what_looks_strange_stands_at_its_column(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    colours = [" red", "red", "blue"] * (N_ROWS // 3)
    assert propose(home, table(size=[*X[2:], -999, -999], colour=colours)) == {}
    written = (home / "use_cases/t.yaml").read_text(encoding="utf-8")
    said = capsys.readouterr().err
    for note in ("size: -999 in 2 rows, apart from all others", "colour: spellings that differ"):
        assert f"look: {note}" in said.replace("all other values", "all others")
        assert f"# look: {note.partition(': ')[2][:12]}" in written


def test_a_year_and_too_few_inputs_are_pointed_out(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    years = pd.DataFrame({"year": [2020, 2021] * (N_ROWS // 2), "y": Y})
    assert propose(home, years.to_csv(index=False)) == {}
    said = capsys.readouterr().err
    assert "look: year: a year: every later one is new to a model" in said
    assert "look: keys: 60 rows hold at most 2 different inputs" in said


def test_classes_beyond_integers_stay_numbers(home: Path) -> None:
    rows = table().replace(",1\n", ",1e300\n")
    assert propose(home, rows) == {}
    assert proposed(home).columns["y"].type == "number"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "init: a table and its target are needed"),
        ({"data": "t.csv"}, "init: a table and its target are needed"),
        ({"data": "t.csv", "target": "y", "output": "t.csv/new.yaml"}, "can't be written: "),
    ],
)
def test_what_a_command_line_lacks_is_told(home: Path, options: dict[str, str], said: str) -> None:
    (home / "t.csv").write_text(table(), encoding="utf-8")
    with pytest.raises(BadInput, match=said):
        main(**options)


def test_a_file_that_is_there_is_kept(home: Path) -> None:
    (home / "t.csv").write_text(table(), encoding="utf-8")
    main("t.csv", target="y", output="mine/a b.yaml", name="other")
    with pytest.raises(BadInput, match="is there already"):
        main("t.csv", target="y", output="mine/a b.yaml")
    assert load_use_case(str(home / "mine/a b.yaml")).name == "other"


def test_parquet_and_lines_of_json_are_told_by_their_bytes(home: Path) -> None:
    rows = pd.DataFrame({"id": range(N_ROWS), "x": X, "y": Y})
    rows.to_parquet(home / "t.csv")
    main("t.csv", target="y")
    assert proposed(home).source.kind == "parquet"
    rows.to_json(home / "t.csv", orient="records", lines=True)
    main("t.csv", target="y", overwrite="yes")
    assert proposed(home).source.kind == "json"
    assert proposed(home).keys == ("id",)


def test_a_column_of_parquet_that_no_table_holds_is_no_target(home: Path) -> None:
    pd.DataFrame({"x": X, "y": [[v] for v in Y]}).to_parquet(home / "t.csv")
    with pytest.raises(BadInput, match=r"target: y: list<element: int64> in the file, which no"):
        main("t.csv", target="y")


def test_a_folder_is_one_table_with_what_its_folders_say(home: Path) -> None:
    for shop in ("north", "south"):
        (home / "t" / f"shop={shop}").mkdir(parents=True)
        (home / "t" / f"shop={shop}" / "rows.csv").write_text(table(), encoding="utf-8")
    main("t", target="y")
    assert proposed(home).columns["shop"].categories == ("north", "south")
    assert check(proposed(home)).rows == 2 * N_ROWS
    (home / "t" / "shop=south" / "rows.csv").write_text("x,y\nred,0\n", encoding="utf-8")
    main("t", target="y", overwrite="yes")


def test_a_folder_of_several_kinds_or_of_none_is_refused(home: Path) -> None:
    (home / "t").mkdir()
    with pytest.raises(BadInput, match=r"no file that ends in \.csv, .*\.json is in the folder t"):
        main("t", target="y")
    (home / "t" / "rows.csv").write_text(table(), encoding="utf-8")
    (home / "t" / "rows.jsonl").write_text('{"x": 1, "y": 0}', encoding="utf-8")
    with pytest.raises(BadInput, match=r"t holds files of kinds csv, json; name one by \*"):
        main("t", target="y")
    (home / "t" / "_delta_log").mkdir()
    (home / "t" / "_delta_log" / "0.json").touch()
    with pytest.raises(BadInput, match="t is a Delta table"):
        main("t", target="y")


def test_files_whose_columns_differ_are_refused(home: Path) -> None:
    (home / "t").mkdir()
    rows = pd.DataFrame({"x": X, "y": Y})
    rows.to_parquet(home / "t" / "a.parquet")
    rows.assign(x="red").to_parquet(home / "t" / "b.parquet")
    with pytest.raises(BadInput, match="data: the files hold columns that differ: "):
        main("t", target="y")


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("Sales 2024.csv", "sales-2024"),
        ("/a/b/2024.csv.gz", "table-2024"),
        ("größe.csv", "gr-e"),
        ("s3://bucket/day=1/", "day-1"),
    ],
)
def test_a_file_s_stem_becomes_a_name(address: str, name: str) -> None:
    assert name_of(address) == name


def test_an_address_in_a_store_stays_as_it_is(home: Path) -> None:
    assert from_folder("s3://bucket/sales.csv", home) == "s3://bucket/sales.csv"
    assert from_folder("sales.csv", home / "use_cases") == "../sales.csv"


def test_a_choice_is_named_by_its_word_or_number(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    question = Question("task", "Which?", "binary", ("binary", "regression"))
    for typed, answer in (("3\n2\n", "regression"), ("binary\n", "binary"), ("\n", "binary")):
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        assert ask_person(question) == answer
    assert "one of binary, regression, or its number" in capsys.readouterr().err


def test_a_person_on_a_terminal_is_asked(home: Path) -> None:
    (home / "t.csv").write_text(table(at=NAIVE), encoding="utf-8")
    code, said = on_terminal(["t.csv", "--target", "y"], "Berlin\nEurope/Berlin\n")
    assert code == 0, said
    assert "no zone of the name 'Berlin'" in said
    assert proposed(home).time_zone == "Europe/Berlin"


def on_terminal(arguments: list[str], typed: str) -> tuple[int, str]:
    """Exit code and screen of the command on a pseudo-terminal, where a person types this."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "pipelines.init", *arguments]
    project = Path(__file__).parents[2]
    started = subprocess.Popen(
        command,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "PYTHONPATH": str(project), "TERM": "xterm"},
    )
    os.close(theirs)
    os.write(ours, typed.encode())
    screen = b""
    while True:
        try:
            read = os.read(ours, 4096)
        except OSError:  # Linux says so at the end
            break
        if not read:
            break
        screen += read
    os.close(ours)
    return started.wait(60), screen.decode()


def test_a_table_of_times_alone_is_learned_from_by_their_parts(home: Path) -> None:
    moments = pd.date_range("2024-01-01", periods=200, freq="5h", tz="UTC")
    told = pd.DataFrame({"at": moments, "y": RANDOM.integers(0, 2, len(moments))})
    assert propose(home, told.to_csv(index=False)) == {}
    assert proposed(home).features == ("at_hour", "at_day_of_week")
