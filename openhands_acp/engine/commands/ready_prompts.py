"""`/init` and `/review`: prompts that are ready, for the model to work on with the tools that it has."""

from __future__ import annotations

_INIT = """\
Write an AGENTS.md at the root of this project ({root}): what a coding agent that has never seen it has to know to \
work in it well. If there is one, or a CLAUDE.md, GEMINI.md or .cursorrules, keep what is right in it and correct \
the rest.

Look first, and write only what you have seen: the README, the build and package files, the configuration of \
linters, tests and CI, how the code is divided, a few typical files and tests.

What belongs in it, each in as few lines as will do:
- what the project is, in a sentence or two, and where its main parts are;
- the commands to install, build, check and test, also for one single test, as they really are;
- the conventions that the code follows and that cannot be guessed from one file;
- what is easily done wrong here.

What does not: what every programmer knows, lists of all files, what a linter says by itself, guesses. At most 100 \
lines.\
"""
_REVIEW = """\
Review the changes in the working tree of this project ({root}), as a careful colleague would before they are \
committed. Change nothing.

Find out what changed: `git status --short`, `git --no-pager diff HEAD`, and the new files, which the diff leaves \
out. Where it is no repository, or commands cannot be run, say so and review what this session changed. Read around \
each change: who calls it, what it relies on, its tests.

Look for, in this order: what is wrong (cases that fail, errors that are lost, races, data at risk); what is unsafe; \
what breaks for others; what is not tested and should be; what is needlessly hard to read. Leave alone what a \
formatter decides, and taste.

Report only what you are sure of after having looked, the worst first: `path:line`, what happens in which case, and \
what to do about it. If there is nothing, say so in a sentence.\
"""


def init(root: str, wish: str) -> str:
    return _with_wish(_INIT.format(root=root), wish)


def review(root: str, wish: str) -> str:
    return _with_wish(_REVIEW.format(root=root), wish)


def _with_wish(text: str, wish: str) -> str:
    return f"{text}\n\nThe person adds: {wish}" if wish else text
