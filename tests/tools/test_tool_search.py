"""Which tools of servers a search finds: a table."""

from __future__ import annotations

import pytest

from openhands_acp.tools.tool_search import best
from tests.harness.servers import tool

TOOLS = (
    tool("github", "create_issue", "Open a new issue in a repository."),
    tool("github", "listPullRequests", "List pull requests."),
    tool("github", "get_file", "Read one file of a repository."),
    tool("jira", "search", "Find tickets by JQL.", title="Search tickets"),
    tool("wetter", "vorhersage", "Das Wetter von morgen für einen Ort."),
)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("create an issue", ["github__create_issue"]),
        ("issues", ["github__create_issue"]),
        ("pull request", ["github__listPullRequests"]),
        ("github", ["github__create_issue", "github__listPullRequests", "github__get_file"]),
        ("ticket", ["jira__search"]),
        ("repository", ["github__create_issue", "github__get_file"]),
        ("jira__search github__get_file", ["github__get_file", "jira__search"]),
        ("search files", ["jira__search", "github__get_file"]),
        ("WETTER für morgen", ["wetter__vorhersage"]),
        ("a", []),
        ("", []),
        ("kubernetes", []),
    ],
)
def test_a_search_finds_what_fits_best(query: str, names: list[str]) -> None:
    assert [each.spec.name for each in best(query, TOOLS)] == names
