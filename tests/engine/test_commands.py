"""What begins with a slash: which command it calls, what was meant, and what is put into a person's own."""

from __future__ import annotations

import shlex
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openhands_acp.engine.commands.expansions import expansions
from openhands_acp.engine.commands.own_commands import filled_in, line_filled_in
from openhands_acp.engine.commands.table import COMMANDS, called, nearest, reads_like_a_call
from openhands_acp.engine.guidance.inventory import Inventory, Keywords, OwnCommand, Paths, Skill, Task
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.servers.door import RemotePrompt

NAMES = [command.name for command in COMMANDS]


@pytest.mark.parametrize(
    ("prompt", "call"),
    [
        ("/help", ("help", "")),
        ("  /title  A new\nname ", ("title", "A new\nname")),
        ("/review\nonly the tests", ("review", "only the tests")),
        ("/server:prompt a b", ("server:prompt", "a b")),
        ("/", ("", "")),
        ("help", None),
        ("what is /help?", None),
        ("", None),
    ],
)
def test_the_first_word_is_what_is_called(prompt: str, call: tuple[str, str] | None) -> None:
    assert called(prompt) == call


@pytest.mark.parametrize(
    ("prompt", "verdict"),
    [
        ("/hlep", True),
        ("/undoo", True),
        ("/Help", True),
        ("/deploy", True),
        ("/reviw the parser", True),
        ("/commit the changes", True),
        ("/deploy to staging", True),
        ("/git:tidy all", True),
        ("/run tests", True),
        ("/clear --all", True),
        # However the sentence goes on.
        ("/undoo is what I want", True),
        # Paths and prose.
        ("/etc/hosts is wrong", False),
        ("/usr/bin/x", False),
        ("/usr/bin/python is too old", False),
        ("/usr", False),
        ("/Users has no such folder", False),
        ("/run is full", False),
        ("/orders answers 500", False),
        ("/orders and /users: both fail", False),
        ("/orders, /users: both fail", False),
        ("/api?x=1 fails", False),
        ("/login doesn't work", False),
        ("/orders endpoint: 500", False),
        ("/deploy\nthen tell me", False),
        ("/tmp is full", False),
        ("/users answers 500", False),
        ("/home/me", False),
        ("/main.py", False),
        ("/* a comment */", False),
        ("//", False),
        ("/", False),
        # A space in front says that it is meant for the model.
        (" /deploy", False),
        ("hello", False),
    ],
)
def test_what_was_meant_as_a_command_is_told_from_text(prompt: str, verdict: bool) -> None:
    assert reads_like_a_call(prompt, COMMANDS) is verdict


@pytest.mark.parametrize(
    ("typed", "first"),
    [("hlep", "help"), ("UNDO", "undo"), ("check", "checkpoints"), ("perm", "permissions"), ("commit", "git:commit")],
)
def test_the_nearest_names_are_found(typed: str, first: str) -> None:
    assert nearest(typed, [*NAMES, "git:commit"])[0] == first


def test_nothing_is_near_to_what_is_like_nothing() -> None:
    assert nearest("zzzzzz", NAMES) == []


def own(name: str, text: str = "Do it.", description: str = "") -> OwnCommand:
    return OwnCommand(name, description, text, AbsPath(f"/h/commands/{name}.md"))


def skill(name: str, **fields: object) -> Skill:
    made = Skill(name, f"About {name}", "Text.", AbsPath(f"/p/{name}/SKILL.md"))
    for field, value in fields.items():
        object.__setattr__(made, field, value)
    return made


def test_what_people_and_servers_bring_along_becomes_commands() -> None:
    inventory = Inventory(
        commands=(own("deploy", "Deploy $1.", "Ship  it\nnow"), own("help"), own("long", "x" * 500)),
        skills=(
            skill("pdf", is_folder=True),
            skill("deploy", is_folder=True),
            skill("ask-pr", trigger=Task(("/ask-pr",), (("url", "Which one"), ("branch", "")))),
            skill("linear", trigger=Keywords(("linear", "/linear"))),
            skill("always-known"),
            skill("for-paths", trigger=Paths(("*.py",)), is_folder=True),
            skill("not-for-people", is_folder=True, for_person=False),
            skill("people-only", for_model=False),
        ),
    )
    prompts = [
        RemotePrompt("docs", "look up", "Find a page", (("what", True), ("lang", False))),
        RemotePrompt("x", "y"),
    ]
    found = {
        name: (each.command.description, each.command.hint) for name, each in expansions(inventory, prompts).items()
    }
    assert found == {
        "deploy": ("Ship it now", "ARGUMENTS"),
        "long": ("x" * 199 + "…", None),
        "pdf": ("About pdf", "TEXT"),
        "ask-pr": ("About ask-pr", "URL BRANCH"),
        "linear": ("About linear", "TEXT"),
        "people-only": ("About people-only", "TEXT"),
        "docs:look_up": ("Find a page", "WHAT [LANG]"),
        "x:y": ("A prompt of the server x", None),
    }


@pytest.mark.parametrize(
    ("text", "argument", "filled"),
    [
        ("Fix $ARGUMENTS now", "the parser", "Fix the parser now"),
        ("Fix ${ARGUMENTS}.", "a b", "Fix a b."),
        ("From $1 to $2", "'a b' c d", "From a b to c"),
        ("From $1 to $2", "a", "From a to "),
        ("It's $1", "don't", "It's don't"),
        ("Costs $10", "x", "Costs $10\n\nARGUMENTS: x"),
        ("Do it", "", "Do it"),
        ("Do it", "all of it", "Do it\n\nARGUMENTS: all of it"),
        ("$ARGUMENTS_X $1", "$1 $ARGUMENTS", "$ARGUMENTS_X $1"),
    ],
)
def test_arguments_are_put_in_their_places(text: str, argument: str, filled: str) -> None:
    assert filled_in(text, argument) == filled


@given(st.text(), st.text())
def test_what_is_put_in_is_not_looked_through_again(before: str, argument: str) -> None:
    before = before.replace("$", "")
    assert filled_in(f"{before}$ARGUMENTS", argument) == before + argument


TYPED = r"""'a b' '$(harm)' '"; harm' "it's" """


@pytest.mark.parametrize(
    ("line", "filled"),
    [
        ("echo $2 end", "echo '$(harm)' end"),
        ('echo "$2 end"', r'echo "\$(harm) end"'),
        ("echo '$4'", r"echo 'it'\''s'"),
        ('echo "$3"', r'echo "\"; harm"'),
        ('''echo "it's $2"''', r'''echo "it's \$(harm)"'''),
        (r"echo it\'s $2", r"echo it\'s '$(harm)'"),
        ('echo "$(cat "$2")"', r'echo "$(cat "\$(harm)")"'),
        ('echo "$(cat $2) $2"', r'''echo "$(cat '$(harm)') \$(harm)"'''),
        ("echo $9", "echo "),
        ("echo $ARGUMENTS", r"""echo 'a b' '$(harm)' '"; harm' 'it'"'"'s'"""),
    ],
)
def test_what_is_typed_is_a_word_of_a_command_line_in_whatever_quotes(line: str, filled: str) -> None:
    assert line_filled_in(line, TYPED) == filled


@settings(max_examples=50, deadline=None)
@given(st.text(alphabet="ab'\"\\$(){}[];&|<> \n`#*?~!", max_size=20))
def test_a_shell_reads_it_as_it_was_typed(typed: str) -> None:
    lines = ("printf %s $1", 'printf %s "$1"', "printf %s '$1'", """printf %s "$(printf %s "$1"'$1' "$1")" """)
    script = "; echo; ".join(line_filled_in(line, shlex.quote(typed)) for line in lines)
    ran = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True, timeout=20)
    read = " ".join(typed.replace("`", "").split())
    assert (ran.stdout, ran.stderr) == ("\n".join([read, read, read, read * 3]), "")
