"""A session's settings as the client sees them: modes and config options, from one table.

Some clients know only `modes`, others prefer `configOptions` (clients.md rule 9), so both are always
offered and always say the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args

from openhands_acp.engine.modes import Mode
from openhands_acp.rpc.errors import INVALID_PARAMS, RpcError

MODES: dict[Mode, tuple[str, str]] = {
    "always-ask": ("Always ask", "Ask before every change and every command"),
    "accept-edits": ("Accept edits", "Change files of the project without asking, ask before commands"),
    "llm-approve": ("Model decides", "Ask only for what the model itself calls risky"),
    "always-approve": ("Always approve", "Never ask"),
    "plan": ("Plan", "Read only: look around and make a plan"),
}
assert tuple(MODES) == get_args(Mode)


@dataclass(frozen=True, slots=True)
class Options:
    """What is chosen now, and the models that can be."""

    mode: str
    model: str
    models: Sequence[str]

    def modes(self) -> dict[str, Any]:
        """`SessionModeState`."""
        available = [{"id": mode, "name": name, "description": text} for mode, (name, text) in MODES.items()]
        return {"currentModeId": self.mode, "availableModes": available}

    def config_options(self) -> list[dict[str, Any]]:
        """`SessionConfigOption[]`: always the whole list."""
        models = list(dict.fromkeys([*self.models, self.model]))
        return [
            _select("mode", "Mode", self.mode, {mode: MODES[mode] for mode in MODES}),
            _select("model", "Model", self.model, {model: (model, None) for model in models}),
        ]

    def check(self, option_id: str, value: object) -> str:
        """Return `value` if the option may take it. Raises RpcError with the list of what it may."""
        for option in self.config_options():
            if option["id"] == option_id:
                values = [choice["value"] for choice in option["options"]]
                if not isinstance(value, str) or value not in values:
                    raise RpcError(INVALID_PARAMS, f"{option_id} cannot be {value!r}; it is one of {', '.join(values)}")
                return value
        raise RpcError(INVALID_PARAMS, f"there is no option {option_id!r}; the options are mode and model")


def _select(option_id: str, name: str, current: str, choices: dict[Any, tuple[str, str | None]]) -> dict[str, Any]:
    return {
        "id": option_id,
        "name": name,
        "category": option_id,
        "type": "select",
        "currentValue": current,
        "options": [
            {"value": value, "name": label} | ({"description": text} if text else {})
            for value, (label, text) in choices.items()
        ],
    }
