"""Pages as people with other eyes and hands meet them: axe's rules, two widths, two schemes."""

from typing import Any, Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

WIDTHS = (1280, 400)  # pixels
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
SERIOUS = ("serious", "critical")


def findings(browser: Browser, address: str, click: str = "") -> list[str]:
    """What axe finds serious on a page, and what does not fit its width."""
    found = []
    for width in WIDTHS:
        for scheme in SCHEMES:
            page = browser.new_page(
                viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True
            )
            page.goto(address)
            if click:
                page.click(click)
                page.wait_for_load_state("networkidle")
            texts = _broken(Axe().run(page).response)
            wide = int(page.evaluate("document.documentElement.scrollWidth"))
            texts += [f"it is {wide} pixels wide"] if wide > width else []
            found += [f"{width} {scheme}: {text}" for text in texts]
            page.close()
    return found


def _broken(answer: dict[str, Any]) -> list[str]:
    serious = [rule for rule in answer["violations"] if rule["impact"] in SERIOUS]
    return [f"{r['id']}: {node['html'][:200]}" for r in serious for node in r["nodes"][:3]]
