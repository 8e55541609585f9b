"""Every link of the built site leads somewhere, and no page asks another host for anything."""

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# What a browser fetches by itself when it opens a page.
FETCHED = {
    ("script", "src"),
    ("img", "src"),
    ("iframe", "src"),
    ("link", "href"),
    ("source", "srcset"),
}
# Links that name no file: they are for search engines and for readers who are online.
RELATIONS = {"canonical", "next", "prev", "edit"}


class Page(HTMLParser):
    """The links, the fetched addresses and the anchors of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        self.anchors |= {said[name] for name in ("id", "name") if name in said}
        if tag == "a" and "href" in said:
            self.links.append(said["href"])
        for name, value in said.items():
            if (tag, name) in FETCHED and said.get("rel") not in RELATIONS:
                self.fetched.append(value)


def complaints(site: Path) -> list[str]:
    """What is wrong with a built site, one sentence each."""
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    found = []
    for path, page in pages.items():
        name = path.relative_to(site)
        for address in (*page.links, *page.fetched):
            if said := _trouble(address, path, pages):
                found.append(f"{name}: {address} {said}")
        found += [
            f"{name}: {address} is asked of another host"
            for address in page.fetched
            if urlsplit(address).netloc
        ]
    return found


def _trouble(address: str, path: Path, pages: dict[Path, Page]) -> str:
    """Why an address leads nowhere; "" where it leads somewhere, or out of the site."""
    parts = urlsplit(address)
    if parts.scheme or parts.netloc:
        return ""
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if target.is_dir():
        target /= "index.html"
    if not target.exists():
        return "is not there"
    anchor = unquote(parts.fragment)
    if anchor and target in pages and anchor not in pages[target].anchors:
        return f"has no part #{anchor}"
    return ""
