"""`python -m openhands_acp`: the same as the console script."""

from __future__ import annotations

import sys

from openhands_acp.cli import main

sys.exit(main())
