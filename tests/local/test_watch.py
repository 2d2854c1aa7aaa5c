"""What watches over the processes that are started: how it looks to whoever looks for those."""

from __future__ import annotations

import os
from pathlib import Path

from openhands_acp.local.processes import children
from openhands_acp.local.watch import ENVIRONMENT, Watch
from tests.harness.process import eventually


def test_it_has_an_environment_so_that_nobody_waits_for_its_program_and_no_mark() -> None:
    before = set(children(os.getpid()))
    watch = Watch("the mark")
    watch.begin()
    [pid] = set(children(os.getpid())) - before
    shown = "".join(f"{name}={value}\0" for name, value in ENVIRONMENT.items()).encode()
    # Until it is a shell, it shows what the process has that started it.
    eventually(lambda: Path(f"/proc/{pid}/environ").read_bytes() == shown)
    watch.call_off()
    assert (shown != b"", pid in children(os.getpid())) == (True, False)
