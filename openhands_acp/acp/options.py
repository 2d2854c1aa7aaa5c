"""A session's settings and commands as the client sees them: modes and config options from one table.

Some clients know only `modes`, others prefer `configOptions` (clients.md rule 9), so both are always
offered and always say the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from openhands_acp.engine.choices import Choice
from openhands_acp.engine.commands.table import SlashCommand
from openhands_acp.engine.modes import MODES
from openhands_acp.rpc.errors import INVALID_PARAMS, RpcError

THOUGHT_LEVELS: dict[str, tuple[str, str]] = {
    "default": ("Model's own", "As much as the provider thinks fit"),
    "off": ("Off", "No thinking before an answer, or as little as the model can"),
    "low": ("Low", "A little: quick and cheap"),
    "medium": ("Medium", "Some"),
    "high": ("High", "Much: slow and dear"),
}


@dataclass(frozen=True, slots=True)
class Options:
    """What is chosen now, and the models that can be."""

    mode: str
    model: str
    models: Sequence[Choice]
    thought_level: str = "default"
    thought_levels: Sequence[str] = ()
    """What the model offers; the option is there if it offers any."""

    def modes(self) -> dict[str, Any]:
        """`SessionModeState`."""
        available = [{"id": mode, "name": name, "description": text} for mode, (name, text) in MODES.items()]
        return {"currentModeId": self.mode, "availableModes": available}

    def config_options(self) -> list[dict[str, Any]]:
        """`SessionConfigOption[]`: always the whole list."""
        models = {choice.value: (choice.name, choice.description or None) for choice in self.models}
        # What is chosen need not be on the list: it was typed, or its server is away.
        models.setdefault(self.model, (self.model, None))
        options = [
            _select("mode", "Mode", self.mode, {mode: MODES[mode] for mode in MODES}),
            _select("model", "Model", self.model, models),
        ]
        if self.thought_levels:
            # A level that this model does not have counts as none; it counts again with a model that has it.
            level = self.thought_level if self.thought_level in self.thought_levels else "default"
            choices: dict[Any, tuple[str, str | None]] = {each: THOUGHT_LEVELS[each] for each in self.thought_levels}
            options.append(_select("thought_level", "Thinking", level, choices))
        return options

    def check(self, option_id: str, value: object) -> str:
        """Return `value` if the option may take it. Raises RpcError with the list of what it may."""
        for option in self.config_options():
            if option["id"] == option_id:
                values = [choice["value"] for choice in option["options"]]
                if not isinstance(value, str) or value not in values:
                    raise RpcError(INVALID_PARAMS, f"{option_id} cannot be {value!r}; it is one of {', '.join(values)}")
                return value
        known = ", ".join(option["id"] for option in self.config_options())
        raise RpcError(INVALID_PARAMS, f"there is no option {option_id!r}; the options are {known}")


def commands_to_wire(commands: Sequence[SlashCommand]) -> list[dict[str, Any]]:
    """`AvailableCommand[]`."""
    return [
        {"name": command.name, "description": command.description}
        | ({"input": {"hint": command.hint}} if command.hint else {})
        for command in commands
    ]


def _select(option_id: str, name: str, current: str, choices: Mapping[Any, tuple[str, str | None]]) -> dict[str, Any]:
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
