"""The modes a session can be in; `policy` says what they mean."""

from __future__ import annotations

from typing import Literal, TypeAlias

Mode: TypeAlias = Literal["always-ask", "accept-edits", "llm-approve", "always-approve", "plan"]
