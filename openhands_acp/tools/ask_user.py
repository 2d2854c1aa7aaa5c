"""The `ask_user` tool: questions that only the person can answer, as a form, as buttons, or plainly in the chat."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, assert_never

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from openhands_acp.engine.cards import Card, ShownText
from openhands_acp.engine.messages import JsonObject, JsonValue
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.person.door import Filled, Form, Reply
from openhands_acp.engine.tool import Hands, Tool, ToolResult
from openhands_acp.tools.define import define

DESCRIPTION = """\
Ask the person what only they can know or decide, and wait for the answer: where a wrong guess would be costly. Offer \
the likely answers as options, the one you would take first. All open questions at once. Never ask for passwords, \
keys or tokens."""

_MOST_QUESTIONS = 4
_MOST_OPTIONS = 10
_TITLE = 120
_MORE = "more"
_SECRET = re.compile(
    r"\b(pass[ -]?(wor[dt]|wd|phrase|code)s?|kennwort|mot de passe|contraseña|senha|parola|api[ _-]?keys?|secret"
    r"|(private|ssh|licen[cs]e|encryption|signing|account)[ _-]?keys?|credentials?|seed phrase|card number|cvv"
    r"|pin( code)?|(access|refresh|auth|bearer|personal|github|gitlab|npm|pypi|slack|bot)[ _-]?tokens?"
    r"|(recovery|one[ -]time|backup|verification|security|2fa|mfa|login)[ -]?codes?|otp)\b|пароль|密码|密碼|パスワード"
    r"|\b(enter|paste|type|provide|give|send|share|insert|what(’|'| i)s)\b[^.?!]{0,40}\b(tokens?|keys?)\b",
    re.IGNORECASE,
)


class OptionArgs(BaseModel):
    model_config = ConfigDict(defer_build=True, frozen=True)

    label: str = Field(description="A few words")
    description: str = Field(default="", description="What it means or costs")

    @model_validator(mode="before")
    @classmethod
    def _may_be_bare(cls, given: object) -> object:
        return {"label": given} if isinstance(given, str) else given


class QuestionArgs(BaseModel):
    model_config = ConfigDict(defer_build=True, frozen=True)

    question: str
    options: tuple[OptionArgs, ...] = Field(
        default=(), max_length=_MOST_OPTIONS, description="None: the person writes a text"
    )
    multiple: bool = Field(default=False, description="Several may be chosen")

    @model_validator(mode="before")
    @classmethod
    def _may_be_bare(cls, given: object) -> object:
        return {"question": given} if isinstance(given, str) else given

    @field_validator("options")
    @classmethod
    def _differ(cls, options: tuple[OptionArgs, ...]) -> tuple[OptionArgs, ...]:
        if len({option.label for option in options}) < len(options) or len(options) == 1:
            raise ValueError("must be two or more that differ, or none at all")
        return options


class AskUserArgs(BaseModel):
    model_config = ConfigDict(defer_build=True, frozen=True)

    questions: tuple[QuestionArgs, ...] = Field(max_length=_MOST_QUESTIONS)

    @model_validator(mode="before")
    @classmethod
    def _may_be_one(cls, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Take one question for a list of it, as many models write it."""
        return {"questions": [given]} if "question" in given and "questions" not in given else given

    @field_validator("questions")
    @classmethod
    def _ask_for_no_secret(cls, questions: tuple[QuestionArgs, ...]) -> tuple[QuestionArgs, ...]:
        if not questions:
            raise ValueError("must have one question or more")
        # What is typed here is read by the model and kept; an option to choose is no secret.
        if any(not each.options and _SECRET.search(each.question) for each in questions):
            raise ValueError(
                "must not have the person type a secret, which would be read by the model and kept: tell them where to "
                "put it (an environment variable, a file that you do not read), or offer options"
            )
        return questions


def ask_user() -> Tool:
    return define(
        name="ask_user",
        description=DESCRIPTION,
        args=AskUserArgs,
        run=_run,
        card=_card,
        announce=Card("Ask you something", "other"),
    )


def _card(args: AskUserArgs, _root: AbsPath) -> Card:
    first, *others = args.questions
    title = first.question.strip().partition("\n")[0]
    title = title if len(title) <= _TITLE else f"{title[:_TITLE]}…"
    return Card(f"{title} (and {len(others)} more)" if others else title, "other", (), (ShownText(_in_words(args)),))


async def _run(args: AskUserArgs, hands: Hands) -> ToolResult:
    reply = await hands.ask(_form(args.questions))
    if reply == "unable":
        reply = await _by_buttons(args.questions, hands)
    match reply:
        case Filled(values):
            return _answered(args.questions, values)
        case "declined":
            text = "The person chose not to answer. Decide yourself and say what you assumed, or go on without it."
            return ToolResult(text, (ShownText("Not answered."),))
        case "dismissed":
            text = "The person closed the question without an answer. The turn ends here, so that they can say more."
            return ToolResult(text, (ShownText("Not answered."),), ends_turn=True)
        case "unable":
            hands.say(_in_words(args))
            text = "The question is in the chat now. The turn ends here; the answer is the person's next message."
            return ToolResult(text, (ShownText("Asked in the chat."),), ends_turn=True)
        case _:
            assert_never(reply)


async def _by_buttons(questions: Sequence[QuestionArgs], hands: Hands) -> Reply:
    """Ask one after the other, if each can be answered by choosing; the first that is not ends it."""
    if any(not each.options or each.multiple for each in questions):
        return "unable"
    values: dict[str, JsonValue] = {}
    for at, question in enumerate(questions):
        reply = await hands.choose(_choice_of_one(at, question))
        if not isinstance(reply, Filled):
            return reply
        values |= reply.values
    return Filled(values)


def _form(questions: Sequence[QuestionArgs]) -> Form:
    is_one = len(questions) == 1
    fields: dict[str, JsonValue] = {
        _name(at): {"title": "Your answer" if is_one else each.question, **_field(each)}
        for at, each in enumerate(questions)
    }
    if any(each.options for each in questions):
        fields[_MORE] = {"type": "string", "title": "In your words", "description": "If no choice fits, or to say more"}
    message = questions[0].question if is_one else "A few questions:"
    # Nothing is required: who likes no choice says so in words.
    return Form(message, {"type": "object", "properties": fields})


def _choice_of_one(at: int, question: QuestionArgs) -> Form:
    return Form(question.question, {"type": "object", "properties": {_name(at): _field(question)}})


def _field(question: QuestionArgs) -> JsonObject:
    titled: list[JsonValue] = [
        {"const": each.label, "title": each.label, **({"description": each.description} if each.description else {})}
        for each in question.options
    ]
    if not titled:
        return {"type": "string"}
    return {"type": "array", "items": {"anyOf": titled}} if question.multiple else {"type": "string", "oneOf": titled}


def _answered(questions: Sequence[QuestionArgs], values: Mapping[str, JsonValue]) -> ToolResult:
    answers = [(each.question, _said(values.get(_name(at)))) for at, each in enumerate(questions)]
    more = str(values.get(_MORE) or "")
    if not more and all(not answer for _, answer in answers):
        return ToolResult("The person sent the form without an answer: decide yourself and say what you assumed.")
    lines = [f"{question}\nAnswer: {answer or '(none)'}" for question, answer in answers]
    shown = [f"**{question}** {answer or '–'}" for question, answer in answers]
    if more:
        lines.append(f"In their words: {more}")
        shown.append(more)
    return ToolResult("\n\n".join(lines), (ShownText("\n\n".join(shown)),))


def _said(value: JsonValue) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value or "")


def _name(at: int) -> str:
    return f"answer{at + 1}"


def _in_words(args: AskUserArgs) -> str:
    return "\n\n".join(
        "\n".join([each.question, *([""] if each.options else []), *map(_option_in_words, each.options)])
        for each in args.questions
    )


def _option_in_words(option: OptionArgs) -> str:
    return f"- **{option.label}**: {option.description}" if option.description else f"- **{option.label}**"
