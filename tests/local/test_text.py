"""Bytes to text and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhands_acp.engine.ports import TextFile, UnreadableFile
from openhands_acp.local import charsets
from openhands_acp.local.text import decode, decode_as, encode

RUSSIAN = "# Привет, мир! Это тестовый файл\nprint('привет')\n"


@pytest.mark.parametrize(
    ("data", "file"),
    [
        (b"", TextFile("")),
        (b"a\r\nb\rc\n", TextFile("a\r\nb\rc\n")),
        (b"\xef\xbb\xbf", TextFile("", "utf-8", bom=True)),
        (b"\xff\xfea\0", TextFile("a", "utf-16-le", bom=True)),
        (b"\xfe\xff\0a", TextFile("a", "utf-16-be", bom=True)),
        (b"\xff\xfe\0\0a\0\0\0", TextFile("a", "utf-32-le", bom=True)),
        ("\ufeff\ufeffa".encode(), TextFile("\ufeffa", "utf-8", bom=True)),
        (b"\x1b[31mred\x1b[0m\n", TextFile("\x1b[31mred\x1b[0m\n")),
        (b"caf\xe9", None),
        (b"\xff\xfea", None),
    ],
)
def test_unicode_is_recognised(data: bytes, file: TextFile | None) -> None:
    assert decode(data) == file


@pytest.mark.parametrize("data", [b"a\0b", b"\0", b"\x01\x02\x03a", b"\x89PNG\r\n\x1a\n\0", b"\xff\xfea\0\0\0"])
def test_binary_is_refused(data: bytes) -> None:
    with pytest.raises(UnreadableFile, match="binary"):
        decode(data)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("# café, naïve façade\n", "cp1252"),
        ("it’s “quoted” text – dash\n", "cp1252"),
        ("# 这是一个测试文件\nprint('你好，世界')\n", "gb18030"),
        ("# これはテストです\nprint('こんにちは世界')\n", "cp932"),
        ("# これはテストです\nprint('こんにちは世界')\n", "euc_jp"),
        ("# 이것은 테스트 파일입니다\nprint('안녕하세요')\n", "euc_kr"),
        (RUSSIAN, "cp1251"),
        (RUSSIAN, "koi8_r"),
        ("# Zażółć gęślą jaźń, příliš žluťoučký kůň\n", "cp1250"),
    ],
)
def test_older_charsets_are_guessed(text: str, encoding: str) -> None:
    data = text.encode(encoding)
    assert decode(data) is None
    assert decode_as(data, charsets.guess(data)) == TextFile(text, encoding)


@pytest.mark.parametrize(
    ("data", "guess"),
    [
        (b"a\x81\x8d\xff", None),
        (b"a\x81\x8d\xff", "cp1252"),
        (b"a\x81\x8d\xff", "shift_jis"),
        # One of two spellings of the same character, of which encoding would choose the other.
        (b"\x87\x90", "cp932"),
    ],
)
def test_a_guess_that_cannot_give_the_bytes_back_is_not_believed(data: bytes, guess: str | None) -> None:
    assert decode_as(data, guess) == TextFile(data.decode("latin-1"), "latin-1")


def test_a_large_file_is_guessed_from_its_beginning() -> None:
    data = (RUSSIAN * 10_000).encode("cp1251")
    assert charsets.guess(data) == "cp1251"


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        (TextFile("a→b", "latin-1"), "the file's encoding is latin-1, which cannot hold '→' (U+2192)"),
        (TextFile("\ud83d"), r"the file's encoding is utf-8, which cannot hold '\ud83d' (U+D83D)"),
    ],
)
def test_a_character_that_the_encoding_lacks_is_named(file: TextFile, sentence: str) -> None:
    with pytest.raises(UnreadableFile) as caught:
        encode(file)
    assert str(caught.value) == sentence


@given(st.binary() | st.text().map(str.encode) | st.text().map(lambda text: text.encode("utf-16", "replace")))
def test_what_is_accepted_comes_back_byte_for_byte(data: bytes) -> None:
    try:
        file = decode(data)
        if file is None:
            file = decode_as(data, charsets.guess(data))
    except UnreadableFile:
        return
    assert encode(file) == data
