"""Edits as models get them wrong: each folder of `edits_corpus` has a file, a call, and what must come of it.

`expected.*` is the file afterwards, `expected_error.txt` a piece of the refusal (and the file stays as it is),
`expected_note.txt` a piece of what the model is told besides.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from openhands_acp.engine.tool import ToolError
from tests.harness.editing import TOOL, Place
from tests.harness.hands import called

pytestmark = pytest.mark.anyio

CORPUS = Path(__file__).parent / "edits_corpus"
CASES = sorted(path for path in CORPUS.iterdir() if path.is_dir())


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass(slots=True)
class Tally:
    tried: int = 0
    passed: int = 0
    refused: list[str] = field(default_factory=list[str])


@pytest.fixture(scope="module")
def tally(request: pytest.FixtureRequest) -> Iterator[Tally]:
    tally = Tally()
    yield tally
    reporter = request.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        rate = 100 * tally.passed / max(1, tally.tried)
        reporter.write_line(
            f"\nedits corpus: {tally.passed} of {tally.tried} pass ({rate:.1f} %), {len(tally.refused)} of them refusals"
        )


def test_the_corpus_is_large_and_full_of_traps() -> None:
    traps = [case for case in CASES if (case / "expected_error.txt").exists()]
    assert (len(CASES) >= 80, len(traps) >= 20) == (True, True)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_an_edit_comes_out_as_it_was_meant_or_not_at_all(tmp_path: Path, case: Path, tally: Tally) -> None:
    tally.tried += 1
    (source,) = case.glob("input.*")
    place = Place(tmp_path)
    path = place.put(source.name, source.read_bytes())
    call = json.loads((case / "call.json").read_text(encoding="utf-8"))
    refusal, said = "", ""
    try:
        said = (await called(TOOL, place.hands, path=path, **call)).text
    except ToolError as error:
        refusal = str(error)
    if (trap := case / "expected_error.txt").exists():
        assert trap.read_text(encoding="utf-8").strip() in refusal
        assert (place / source.name).read_bytes() == source.read_bytes()
        tally.refused.append(case.name)
    else:
        assert refusal == ""
        assert (place / source.name).read_bytes() == (case / f"expected{source.suffix}").read_bytes()
    if (note := case / "expected_note.txt").exists():
        assert note.read_text(encoding="utf-8").strip() in said
    tally.passed += 1
