"""Texts that would be markup, and what of them a page that leaves has let become markup."""

from html.parser import HTMLParser

from markdown_it import MarkdownIt

# Each would be an element, an attribute, a script or a link with `evil` in it.
HOSTILE = (
    "</script><script>evil()</script>",
    "\"><img src=evil onerror='evil()'>",
    "' onmouseover='evil()' \" onfocus=\"evil()",
    "<evil>&lt;evil&gt;",
    "<!--evil",
    "[evil](javascript:evil()) ![evil](http://evil.example) <http://evil.example>",
    "**evil** _evil_ `evil` ~~evil~~",
    "# evil",
    "1. evil",
    "- evil",
    "evil\n\n# evil\n\n| evil |\n|---|\n",
    "\u2028evil\u2029evil\x85",
    "<!channel> <http://evil.example|evil> @channel",
    "$evil ${evil} {{evil}} {% evil %} %{evil}",
)
ALL = " ".join(HOSTILE)
MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
# Elements of Markdown that a text makes of itself as a whole.
OF_A_TEXT = {"a", "strong", "em", "code", "s", "h1", "p", "li", "td", "th", "blockquote"}


class Theirs(HTMLParser):
    """Collects elements, attributes, scripts and links that none of our templates has."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self.text: list[str] = []
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open.append(tag)
        names = [name for name, _ in attrs if "evil" in name]
        given = {name: value or "" for name, value in attrs if value and "evil" in value}
        names += [name for name in given if name.startswith("on")]
        links = [value for name, value in given.items() if name in ("href", "src")]
        followed = [v for v in links if v.startswith(("javascript:", "http://evil", "evil"))]
        if "evil" in tag or names or followed:
            self.found.append(f"<{tag} {names} {followed}>")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._open:
            while self._open.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        parent = self._open[-1] if self._open else ""
        alone = data.strip() in ("evil", "evil()")
        if alone and parent in OF_A_TEXT | {"script", "style"}:
            self.found.append(f"<{parent}>{data}")
        self.text.append(data)

    def handle_comment(self, data: str) -> None:
        if "evil" in data:
            self.found.append(f"<!--{data}")


def in_html(page: str) -> tuple[list[str], str]:
    """What of theirs is markup in a page, and all of its text."""
    parser = Theirs()
    parser.feed(page)
    parser.close()
    return parser.found, " ".join(" ".join(parser.text).split())


def in_markdown(text: str) -> tuple[list[str], str]:
    """The same of Markdown."""
    return in_html(MARKDOWN.render(text))
