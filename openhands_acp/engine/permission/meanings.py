"""Whether a shell still takes the words of a command line as they read. Pure.

Earlier commands may have made a name a function or an alias, or have changed where programs are looked for, and
what they run in turn. Then neither a rule about the words nor what is known of the programs says what will happen.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256

from openhands_acp.engine.permission.policy import plain_words

_STEERS = re.compile(
    r"""(?x) \$ (?:
      PATH | HOME | SHELL | ENV | BASH_ENV | PS4 | IFS | EDITOR | VISUAL | BROWSER | \w*PAGER | LESS\w* | MAN\w*
    | LD_\w+ | DYLD_\w+ | GIT_\w+ | SSH_\w+ | XDG_CONFIG_\w+ | RIPGREP_CONFIG_PATH | \w*_OPTS | \w*_OPTIONS | \w*FLAGS
    | PYTHON\w* | PYTEST_\w+ | PIP_\w+ | UV_\w+ | NODE_\w+ | (?i:npm_config_\w+) | YARN_\w+ | PERL\w* | RUBY\w*
    | GEM_\w+ | BUNDLE_\w+ | JAVA_\w+ | GO\w* | CARGO\w* | RUST\w* | MAKE\w* | CC | CXX | AR | LD | DOCKER_\w+
    | KUBECONFIG
    )"""
)
"""Variables that make other programs run, or run other programs, than the words say."""


def other_meanings(line: str, redefined: Mapping[str, str]) -> dict[str, str]:
    """Return what of `redefined` (`Terminals.redefined`) may make the shell run something else than `line` says."""
    words = plain_words(line)
    # Of a line that is more than words, nobody knows which names it comes to.
    named = set(words[:1]) if words else None
    return {
        name: value
        for name, value in redefined.items()
        if (_STEERS.fullmatch(name) if name.startswith("$") else named is None or name in named)
    }


def mark_of(meanings: Mapping[str, str]) -> str:
    """Return by what a rule knows such a shell again; empty for one that takes words as they read."""
    return sha256(repr(sorted(meanings.items())).encode(errors="surrogatepass")).hexdigest()[:16] if meanings else ""


def in_words(meanings: Mapping[str, str]) -> str:
    """Tell the person why they are asked again."""
    if not meanings:
        return "You allowed this as the shell was then. It is another one now."
    names = [f"`{name}` is not the program of that name" for name in sorted(meanings) if not name.startswith("$")]
    variables = [f"`{name.removeprefix('$')}`" for name in sorted(meanings) if name.startswith("$")]
    changed = [f"{', '.join(variables)} changed"] if variables else []
    return (
        f"You allowed this before, but earlier commands may have changed what it runs: {', '.join([*names, *changed])}."
    )
