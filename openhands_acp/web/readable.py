"""A page of HTML as Markdown: what it says, without what is around it.

Run as a program of its own (`web/reading.py`), because a page can be written so that reading it takes hours.
"""

from __future__ import annotations

import json
import re
import sys
from contextlib import suppress
from urllib.parse import urljoin, urlsplit

from bs4 import BeautifulSoup, Tag
from bs4.dammit import EncodingDetector
from markdownify import MarkdownConverter

from openhands_acp.web.decoding import decoded

if sys.platform != "win32":
    import resource

_AROUND = (
    *("head", "title"),
    *("script", "style", "noscript", "template", "svg", "canvas", "iframe", "object", "form", "button", "dialog"),
    *("nav", "footer", "aside"),
)
_AROUND_BY_ROLE = ", ".join(
    f'[role="{role}"]' for role in ("navigation", "search", "banner", "contentinfo", "complementary")
)
_MOST_SECONDS = 60
_MOST_MEMORY = 2 * 1024**3
"""Bytes; a page of five megabytes that is nothing but elements comes near."""
_LEAST = 200
"""Characters that a page's main part must have to be taken for it: some are filled in by scripts, or mean otherwise."""


def main() -> None:
    """Read `{"url", "charset"}` in a line and the page after it from stdin; write `[title, text]` to stdout."""
    _limit_itself()
    asked = json.loads(sys.stdin.buffer.readline())
    body = sys.stdin.buffer.read()
    charset = asked["charset"] or EncodingDetector.find_declared_encoding(body, is_html=True)
    sys.stdout.write(json.dumps(readable(decoded(body, charset), asked["url"])))


def _limit_itself() -> None:
    if sys.platform != "win32":
        # Of time in case nobody is there any more who would end it.
        for limit, most in ((resource.RLIMIT_CPU, _MOST_SECONDS), (resource.RLIMIT_AS, _MOST_MEMORY)):
            with suppress(OSError, ValueError):
                resource.setrlimit(limit, (most, most))


def readable(html: str, url: str) -> tuple[str, str]:
    """Return the title and the text."""
    page = BeautifulSoup(html, "html.parser")
    title = _title(page)
    for element in page.find_all([*_AROUND, "header"]):
        # A header in the main part has its headings.
        if element.name != "header" or element.find_parent(["main", "article"]) is None:
            element.decompose()
    for element in page.select(_AROUND_BY_ROLE):
        element.decompose()
    main = _main(page)
    _tidy(main, url)
    try:
        text = _Converter.convert_soup(main)
    except RecursionError:
        # Nested deeper than anybody writes: its words are still there.
        text = main.get_text("\n", strip=True)
    return title, _without_gaps(text)


def _language(code: Tag) -> str:
    named = re.search(r'class="[^"]*\blanguage-([\w+#-]+)', str(code)[:300])
    return named.group(1) if named else ""


_Converter = MarkdownConverter(heading_style="atx", bullets="-", code_language_callback=_language, escape_misc=False)


def _title(page: BeautifulSoup) -> str:
    found = page.find("title") or page.find("h1")
    return " ".join(found.get_text().split()) if found else ""


def _main(page: BeautifulSoup) -> Tag:
    articles = page.find_all("article")
    candidates: list[Tag | None] = [
        page.find("main"),
        page.select_one('[role="main"]'),
        *(articles if len(articles) == 1 else []),
    ]
    for found in candidates:
        if found is not None and len(found.get_text(strip=True)) >= _LEAST:
            return found
    return page.find("body") or page


def _tidy(main: Tag, url: str) -> None:
    """Make links whole, so that they can be followed from elsewhere, and drop those that lead nowhere."""
    for link in main.find_all("a"):
        target = str(link.get("href") or "")
        if target.startswith("#") or urlsplit(urljoin(url, target)).scheme not in ("http", "https"):
            if link.get_text(strip=True) in ("", "#", "¶", "§"):
                link.decompose()
            else:
                link.unwrap()
        else:
            link["href"] = urljoin(url, target)
    for image in main.find_all("img"):
        image.replace_with(str(image.get("alt") or ""))


def _without_gaps(text: str) -> str:
    lines = [line.rstrip() for line in text.splitlines()]
    kept = [line for at, line in enumerate(lines) if line or (at and lines[at - 1])]
    return "\n".join(kept).strip()
