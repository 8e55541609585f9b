"""The tour: what it reads in a page, and, in full, the tutorial itself."""

import os
from pathlib import Path

import pytest

from docs.site.tour import PAGE, PAGES, Stop, missing, stops, walk

FULL = os.environ.get("FOURCYCLE_DOCS") == "full"
PAGE_OF_TWO = """# A page

## One

```sh
echo "3 rows, $HOME"
```

```text
3 rows, …
```

## Two

```sh
false  # the answer is no: exit code 1
```
"""


def test_the_stops_of_a_page() -> None:
    one, two = stops(PAGE_OF_TWO)
    assert one == Stop("One", 'echo "3 rows, $HOME"', ("3 rows, …",))
    assert (two.heading, two.code, two.serves) == ("Two", 1, False)
    assert missing(one, "3 rows,\n /root") == []
    assert missing(one, "4 rows, /root") == ["3 rows, …"]


def test_a_walk_tells_what_is_not_as_the_page_says(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        PAGE_OF_TWO.replace("exit code 1", "exit code 0").replace("3 rows, …", "four rows")
    )
    one, two = walk(page)
    assert one.startswith('One: echo "3 rows, $HOME"\nthese lines did not come:\nfour rows')
    assert two.startswith("Two: false")
    page.write_text(PAGE_OF_TWO)
    assert walk(page) == []


def test_the_tutorial_has_a_stop_for_each_promise() -> None:
    headings = list(dict.fromkeys(stop.heading for stop in stops(PAGE.read_text("utf-8"))))
    words = ("Run", "Look", "Break", "worse", "drift", "Labels", "Train again", "Go back")
    assert [word for word in words if not any(word in heading for heading in headings)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_stop_shows_something(page: Path) -> None:
    assert [s for s in stops(page.read_text("utf-8")) if not s.shown and not s.serves] == []


@pytest.mark.skipif(not FULL, reason="make docs-check walks the tutorials")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_tutorial_does_what_it_says(page: Path) -> None:
    assert walk(page) == []
