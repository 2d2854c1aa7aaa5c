"""What may be done without asking: tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from openhands_acp.engine.events import Risk
from openhands_acp.engine.modes import Mode
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.permission.policy import (
    Allow,
    Ask,
    Deny,
    Effect,
    Execute,
    Fetch,
    Read,
    Sample,
    Type,
    UseTool,
    Verdict,
    Write,
    covered_in_another_shell,
    decide,
    plain_words,
    rule_for,
    rule_in_words,
    wider_rule_for,
)

ROOT = AbsPath("/w")
INSIDE, OUTSIDE, HOOK = AbsPath("/w/a.py"), AbsPath("/etc/hosts"), AbsPath("/w/.git/hooks/pre-commit")


@pytest.mark.parametrize(
    ("mode", "effect", "risk", "verdict"),
    [
        ("always-ask", Read(INSIDE), "UNKNOWN", Allow),
        ("always-ask", Read(OUTSIDE), "LOW", Ask),
        ("always-ask", Read(AbsPath("/w2/a.py")), "LOW", Ask),
        ("always-ask", Write(INSIDE), "LOW", Ask),
        ("always-ask", Execute("ls"), "LOW", Ask),
        ("accept-edits", Write(INSIDE), "HIGH", Allow),
        ("accept-edits", Write(OUTSIDE), "LOW", Ask),
        ("accept-edits", Write(HOOK), "LOW", Ask),
        ("accept-edits", Execute("ls"), "LOW", Ask),
        ("llm-approve", Write(INSIDE), "LOW", Allow),
        ("llm-approve", Execute("make"), "MEDIUM", Allow),
        ("llm-approve", Execute("make"), "HIGH", Ask),
        ("llm-approve", Execute("make"), "UNKNOWN", Ask),
        ("always-approve", Execute("rm -rf /"), "HIGH", Allow),
        ("plan", Read(INSIDE), "UNKNOWN", Allow),
        ("plan", Read(OUTSIDE), "LOW", Ask),
        ("plan", Write(INSIDE), "LOW", Deny),
        ("plan", Execute("ls"), "LOW", Deny),
        ("always-ask", Type("npm init", "y\r"), "LOW", Ask),
        ("accept-edits", Type("npm init", "y\r"), "LOW", Ask),
        ("llm-approve", Type("npm init", "y\r"), "MEDIUM", Allow),
        ("llm-approve", Type("npm init", "y\r"), "HIGH", Ask),
        ("always-approve", Type("npm init", "y\r"), "HIGH", Allow),
        ("plan", Type("npm init", "y\r"), "LOW", Deny),
        ("always-ask", UseTool("hub", "list", "List", is_read_only=True), "LOW", Ask),
        ("accept-edits", UseTool("hub", "list", "List", is_read_only=True), "LOW", Ask),
        ("llm-approve", UseTool("hub", "list", "List", is_read_only=True), "UNKNOWN", Allow),
        ("llm-approve", UseTool("hub", "list", "List", is_read_only=True), "HIGH", Ask),
        ("llm-approve", UseTool("hub", "add", "Add", is_read_only=False), "UNKNOWN", Ask),
        ("llm-approve", UseTool("hub", "add", "Add", is_read_only=False), "MEDIUM", Allow),
        ("always-approve", UseTool("hub", "add", "Add", is_read_only=False), "HIGH", Allow),
        ("plan", UseTool("hub", "list", "List", is_read_only=True), "LOW", Ask),
        ("plan", UseTool("hub", "add", "Add", is_read_only=False), "LOW", Deny),
        ("always-approve", Sample("hub"), "LOW", Ask),
        ("llm-approve", Sample("hub"), "LOW", Ask),
        ("plan", Sample("hub"), "LOW", Ask),
        ("always-ask", Fetch("a.example"), "LOW", Ask),
        ("accept-edits", Fetch("a.example"), "LOW", Ask),
        ("llm-approve", Fetch("a.example"), "LOW", Allow),
        ("llm-approve", Fetch("a.example"), "HIGH", Ask),
        ("always-approve", Fetch("a.example"), "HIGH", Allow),
        ("plan", Fetch("a.example"), "LOW", Ask),
    ],
)
def test_decide(mode: Mode, effect: Effect, risk: Risk, verdict: type[Verdict]) -> None:
    assert isinstance(decide(mode, effect, risk=risk, roots=(ROOT,)), verdict)


LIST = UseTool("hub", "list", "List", is_read_only=True)
ADD = UseTool("hub", "add", "Add", is_read_only=False)


@pytest.mark.parametrize(
    ("rule", "effect", "covered"),
    [
        (rule_for(ADD), ADD, True),
        (rule_for(ADD), UseTool("hub", "add", "Another title", is_read_only=True), True),
        (rule_for(ADD), LIST, False),
        (rule_for(ADD), UseTool("other", "add", "Add", is_read_only=False), False),
        (wider_rule_for(ADD), LIST, True),
        (wider_rule_for(ADD), UseTool("hub:b", "add", "Add", is_read_only=False), False),
        (wider_rule_for(ADD), Sample("hub"), False),
        (rule_for(Sample("hub")), Sample("hub"), True),
        (rule_for(Sample("hub")), ADD, False),
        (wider_rule_for(Read(OUTSIDE)), Read(OUTSIDE), False),
    ],
)
def test_a_rule_about_a_server_is_about_this_tool_or_all_of_its_tools(
    rule: str | None, effect: Effect, covered: bool
) -> None:
    verdict = decide("always-ask", effect, risk="LOW", roots=(ROOT,), rules={rule} if rule else set())
    assert isinstance(verdict, Allow) is covered


@pytest.mark.parametrize(("effect", "verdict"), [(LIST, Allow), (ADD, Deny)])
def test_in_plan_mode_a_rule_counts_only_for_tools_that_read(effect: Effect, verdict: type[Verdict]) -> None:
    assert isinstance(decide("plan", effect, risk="LOW", roots=(ROOT,), rules={"server:hub"}), verdict)


@pytest.mark.parametrize(
    ("effect", "covered"),
    [
        (Type("npm init", "y\r"), True),
        (Type("npm init", "n\r"), False),
        (Type("npm init", "y"), False),
        (Type("npm init x", "y\r"), False),
        (Execute("npm init"), False),
    ],
)
def test_a_rule_about_keys_is_about_these_keys_in_this_program(effect: Effect, covered: bool) -> None:
    rule = rule_for(Type("npm init", "y\r"))
    verdict = decide("always-ask", effect, risk="LOW", roots=(ROOT,), rules={rule})
    assert isinstance(verdict, Allow) is covered


def test_a_rule_about_a_command_covers_nothing_that_is_typed_into_it() -> None:
    rules = {rule_for(Execute("npm init")), rule_for(Execute("python | cat")), "words:[]", "line:"}
    for line in ("npm init", "python | cat", ""):
        assert isinstance(decide("always-ask", Type(line, "y\r"), risk="LOW", roots=(ROOT,), rules=rules), Ask)


@pytest.mark.parametrize("line", ["git status", "ls; rm b"])
@pytest.mark.parametrize(
    ("made", "now", "verdict"),
    [("", "", Allow), ("ab", "ab", Allow), ("", "ab", Ask), ("ab", "", Ask), ("ab", "cd", Ask)],
)
def test_a_rule_counts_in_the_shell_that_it_was_made_for(
    line: str, made: str, now: str, verdict: type[Verdict]
) -> None:
    rules, effect = {rule_for(Execute(line, made))}, Execute(line, now)
    assert isinstance(decide("always-ask", effect, risk="LOW", roots=(ROOT,), rules=rules), verdict)
    assert covered_in_another_shell(effect, rules)
    assert not covered_in_another_shell(Execute("rm c", now), rules)


@pytest.mark.parametrize("line", ["a" * 100_000 + " && b", "mkdir -p build/output && " * 1_000, "'x' " * 10_000 + "'"])
def test_a_long_line_is_judged_at_once(line: str) -> None:
    assert plain_words(line) == []
    assert rule_for(Execute(line)) == f"line:{line}"


def test_plan_mode_denies_even_what_a_rule_allows() -> None:
    effect = Execute("git status")
    assert isinstance(decide("plan", effect, risk="LOW", roots=(ROOT,), rules={rule_for(effect)}), Deny)


def test_a_link_that_leads_out_of_the_root_is_outside(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "link").symlink_to("/etc")
    roots = (AbsPath(str(root)),)
    assert isinstance(decide("always-ask", Read(AbsPath(f"{root}/link/hosts")), risk="LOW", roots=roots), Ask)
    assert isinstance(decide("accept-edits", Write(AbsPath(f"{root}/link/new")), risk="LOW", roots=roots), Ask)


@pytest.mark.parametrize(
    ("effect", "words"),
    [
        (Write(INSIDE), "Always allow editing a.py in this session"),
        (Fetch("a.example:8080"), "Always allow a.example:8080 in this session"),
        (Read(OUTSIDE), "Always allow reading a.py in this session"),
        (Execute("git status --short"), "Always allow `git status …` in this session"),
        (Execute("npm run build -- --watch"), "Always allow `npm run build …` in this session"),
        (Execute("pytest -x 'tests/a b.py'"), "Always allow `pytest …` in this session"),
        (Execute("rm a"), "Always allow exactly this command in this session"),
        (Execute("git -c core.pager=sh log"), "Always allow exactly this command in this session"),
        (Execute("docker run -v /:/x alpine"), "Always allow exactly this command in this session"),
        (Execute("./run.sh now"), "Always allow exactly this command in this session"),
        (Execute("ls; rm b"), "Always allow exactly this command in this session"),
        (Type("npm init", "y\r"), "Always allow typing exactly this into this command in this session"),
        (Execute("git diff", "ab"), "Always allow `git diff …` in this session, with the shell as it is now"),
        (Execute("rm a", "ab"), "Always allow exactly this command in this session, with the shell as it is now"),
    ],
)
def test_the_option_names_its_rule(effect: Effect, words: str) -> None:
    assert rule_in_words(rule_for(effect), effect, "a.py") == words


@pytest.mark.parametrize(
    ("allowed", "effect", "verdict"),
    [
        (Read(OUTSIDE), Read(OUTSIDE), Allow),
        (Read(OUTSIDE), Write(OUTSIDE), Ask),
        (Read(OUTSIDE), Execute("read:/etc/hosts"), Ask),
        (Write(OUTSIDE), Write(OUTSIDE), Allow),
        (Write(OUTSIDE), Read(OUTSIDE), Allow),
        (Write(INSIDE), Write(OUTSIDE), Ask),
        (Execute("write:/w/a.py"), Write(INSIDE), Ask),
        (Fetch("a.example"), Fetch("a.example"), Allow),
        (Fetch("a.example"), Fetch("b.a.example"), Ask),
        (Fetch("a.example"), Fetch("a.example:8080"), Ask),
        (Fetch("a.example"), Execute("fetch:a.example"), Ask),
    ],
)
def test_a_rule_about_a_file_or_a_host_is_about_that_one_and_what_was_asked(
    allowed: Effect, effect: Effect, verdict: type[Verdict]
) -> None:
    assert isinstance(decide("always-ask", effect, risk="LOW", roots=(ROOT,), rules={rule_for(allowed)}), verdict)


ALLOWED = "git status"


@pytest.mark.parametrize("line", ["git status", "git status --short", "git  status 'a b'", 'git status "x"'])
def test_a_rule_covers_lines_that_begin_with_its_words(line: str) -> None:
    assert isinstance(
        decide("always-ask", Execute(line), risk="LOW", roots=(ROOT,), rules={rule_for(Execute(ALLOWED))}), Allow
    )


@pytest.mark.parametrize(
    "line",
    [
        "git statusx",
        "git stash",
        "git",
        "git 'status;' x",
        "git status; rm -rf .",
        "git status && rm -rf .",
        "git status || rm -rf .",
        "git status | sh",
        "git status & rm x",
        "git status\nrm x",
        "git status > /etc/passwd",
        "git status < /etc/passwd",
        "git status $(rm x)",
        "git status `rm x`",
        'git status "$(rm x)"',
        'git status "`rm x`"',
        "git status $HOME",
        "git status ${IFS}x",
        "git status *",
        "git status ?",
        "git status {a,b}",
        "git status ~/x",
        "git status !x",
        "git status \\\nx",
        "git status #x",
        "X=1 git status",
        "PATH=. git status",
        "env git status",
        "(git status)",
        "sudo git status",
        "! git status",
        "git -C / status",
        "git status <(rm x)",
        "git status 'a",
        'git status "a',
        "git status \x00",
        "git status ; ",
    ],
)
def test_a_rule_covers_nothing_cleverer(line: str) -> None:
    rules = {rule_for(Execute(ALLOWED))}
    assert isinstance(decide("always-ask", Execute(line), risk="LOW", roots=(ROOT,), rules=rules), Ask)
