"""Pages as Markdown."""

from __future__ import annotations

import pytest

from openhands_acp.web.readable import readable

PAGE = """<!doctype html><html><head><title> Guide\n to  it </title><style>p { color: red }</style></head><body>
<header><a href="/">Home</a></header><nav><a href="/all">All pages</a></nav>
<main><header><h1>Install</h1></header><p>Run this <b>first</b>, see <a href="../more#part">more</a>, or the
<a href="#top">top</a>.<a href="#install">¶</a></p>
<pre><code class="language-console">pip install it
  --now</code></pre>
<table><tr><th>Name</th><th>Use</th></tr><tr><td>a_b</td><td>none</td></tr></table>
<ul><li>one<ul><li>two</li></ul></li></ul><img src="x.png" alt="A diagram"><script>alert("no")</script>
<p>And so on, at some length, so that this is taken for the main part of the page, which has to have some text; this
one has enough of it, as can be seen from the fact that it goes on and on.</p></main>
<aside>Buy!</aside><div role="contentinfo">Imprint</div><footer>© us</footer></body></html>"""

TEXT = """\
# Install

Run this **first**, see [more](https://docs.example/more#part), or the
top.

```console
pip install it
  --now
```

| Name | Use |
| --- | --- |
| a\\_b | none |

- one
  - two

A diagram

And so on, at some length, so that this is taken for the main part of the page, which has to have some text; this
one has enough of it, as can be seen from the fact that it goes on and on."""


def test_a_page_is_its_main_part() -> None:
    assert readable(PAGE, "https://docs.example/guide/install") == ("Guide to it", TEXT)


@pytest.mark.parametrize(
    ("html", "found"),
    [
        ("<main></main><body><p>Filled in elsewhere", ("", "Filled in elsewhere")),
        ("<h1>Only</h1>text", ("Only", "# Only\n\ntext")),
        ("plain < text & more", ("", "plain < text & more")),
        ("", ("", "")),
        ("<a href='javascript:alert(1)'>x</a><a href='data:text/html,y'>z</a>", ("", "xz")),
        ("<p>\x00 \ud800 </p>", ("", "\x00 \ud800")),
    ],
)
def test_whatever_a_page_is(html: str, found: tuple[str, str]) -> None:
    assert readable(html, "https://a.example/") == found


def test_a_page_that_is_nested_without_end_still_has_its_words() -> None:
    _, text = readable("<div>" * 5_000 + "deep" + "<ul><li>" * 2_000 + "deeper", "https://a.example/")
    assert text.split() == ["deep", "-", "deeper"] or text.split() == ["deep", "deeper"]
