"""What a shell leaves to the next: its directory, variables, functions, aliases, options and umask.

Every command has a shell of its own. Before its line it reads a file that puts the state back, and on
its way out it writes the same file anew; so neither `exit`, `set -e` nor a kill spoils anything. Knows
how bash and sh spell all that, and nothing of processes.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from openhands_acp.local.private_folder import PrivateFolder

FILE = "OPENHANDS_SHELL"
"""Variable that names the file, for a shell that does not know BASH_ENV."""
_LEFT, _OTHERS, _END = "# left", "# others", "# end"
_BEGAN = ".began"
"""Ends the name of a second file, in which the first shell tells its state as it was before any command."""
_DEFINED = re.compile(r"^(?:(?:function )?(?P<function>\S+) \(\) *|alias (?:-- )?(?P<alias>[^=\s]+)=.*)$", re.MULTILINE)

# What the shell itself keeps, counts or refuses to be told; and PWD, which is where the next one is started.
_ITS_OWN = re.compile(
    r"(?:BASH(?!_ENV$)\w*|COLUMNS|COMP_\w*|DIRSTACK|EPOCH\w*|EUID|FUNCNAME|GROUPS|HIST\w*|LINENO|LINES|OPTERR|OPTIND|PIPESTATUS"
    r"|PPID|PWD|RANDOM|SECONDS|SHELLOPTS|SHLVL|SRANDOM|UID|_)"
)
_DECLARED = re.compile(r"(?:declare -(?P<flags>[\w-]+)|export) (?P<name>[A-Za-z_]\w*)(?P<value>=.*|$)", re.DOTALL)
_NAME = re.compile(r"[A-Za-z_]\w*")
# They would end the next command at its first failure, or before: they belong to the line that set them.
_NOT_KEPT = ("errexit", "nounset", "noexec", "onecmd")
_IS_SET = re.compile(r"set [-+]o |umask |# end$|$")
_NOT_TO_BE_SET = ("login_shell", "restricted_shell")
# A value without anything that its quotes would have to hide, so that it is what stands between them.
_PLAIN = re.compile(r"""=(["'])([^"'\\$`!]*)\1""")

# Options before functions, whose patterns they may change, and aliases after, or functions would take them in.
_BASH_LEAVES = """\
builtin printf '# left\\n%s\\0' "$PWD"; builtin declare -p; builtin echo '# others'; builtin shopt -p; \
builtin declare -f; builtin alias -p; builtin set +o; builtin umask -p; builtin echo '# end'"""
_SH_LEAVES = """printf '# left\\n%s\\0' "$PWD"; export -p; echo '# others'; echo "umask $(umask)"; echo '# end'"""


@dataclass(frozen=True, slots=True)
class Variable:
    name: str
    declared: str
    """The command that sets it."""
    exported_as: str | None
    """Its value as the environment holds it; None if it is not exported, or not so simple."""
    is_exported: bool


@dataclass(frozen=True, slots=True)
class Left:
    """The state that a shell left."""

    cwd: str
    variables: tuple[Variable, ...]
    others: str
    """A script that puts it back: options, functions, aliases, umask."""

    def since(self, began: Left | None) -> dict[str, str]:
        """Return what names stand for something else than they did, and for what; see `Terminals.redefined`."""
        before, now = began.meanings() if began is not None else {}, self.meanings()
        return {name: now.get(name, "") for name in {**before, **now} if before.get(name) != now.get(name)}

    def meanings(self) -> dict[str, str]:
        found = {f"${variable.name}": variable.declared for variable in self.variables}
        # Where one ends and the next begins, a function could hide from us: each name counts for all of them.
        return {
            **found,
            **{match["function"] or match["alias"]: self.others for match in _DEFINED.finditer(self.others)},
        }


class ShellState:
    """The state of one session's shell, and the files by which it travels."""

    def __init__(self) -> None:
        self.left: Left | None = None
        self.shell = shell_path()
        self._began: Left | None = None
        self._latest = ""
        self._folder: PrivateFolder | None = None

    def begin(
        self,
        mark: str,
        environment: Mapping[str, str],
        own: Mapping[str, str],
        *,
        first: str = "[ ! -t 1 ] || exec 0<&1",
    ) -> str:
        """Write the file that a new shell reads first; return its path.

        `environment` is what the shell is started with, `own` what must hold in it whatever the state says, and
        `first` is what it does before all else: where the terminal is ours, it reads from it.
        """
        is_bash = is_bash_at(self.shell)
        path = os.path.join(self._place(), mark)
        tells = f"{{ {_BASH_LEAVES if is_bash else _SH_LEAVES}; }} 2>/dev/null >| "
        leaves = f"{tells}{shlex.quote(path)}"
        lines = [first, self._restored(environment, is_bash)]
        lines += [f"export {name}={shlex.quote(value)}" for name, value in own.items()]
        lines += [f"{tells}{shlex.quote(path + _BEGAN)}"] if self.left is None else []
        # Whoever sets a trap for EXIT of its own leaves no state: the shell stays as it was before.
        lines += [f"unset {FILE}", f"trap {shlex.quote(leaves)} EXIT", ""]
        # Names and values may be any bytes, and are given back as such.
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write("\n".join(lines).encode(errors="surrogateescape"))
        self._latest = path
        return path

    def take_up(self, path: str) -> None:
        """Go on where the shell stopped that read this file, unless another has begun since."""
        began, left = take(path + _BEGAN), take(path)
        if left is not None and path == self._latest:
            self.left, self._began = left, began or self._began

    def redefined(self) -> dict[str, str]:
        return self.left.since(self._began) if self.left is not None else {}

    def entrance(self, path: str) -> dict[str, str]:
        """Return the variables by which a shell finds its file."""
        return {"BASH_ENV" if is_bash_at(self.shell) else FILE: path}

    def forget(self) -> None:
        """Begin anew with the next shell, and delete the files."""
        self.left = self._began = None
        if self._folder is not None:
            self._folder.close()
        self._folder = None

    def _place(self) -> str:
        # The files hold all that the environment holds.
        if self._folder is None or not os.path.isdir(self._folder.path):
            self._folder = PrivateFolder()
        return self._folder.path

    def _restored(self, environment: Mapping[str, str], is_bash: bool) -> str:
        if self.left is not None:
            exported = {variable.name for variable in self.left.variables if variable.is_exported}
            gone = [name for name in environment if _NAME.fullmatch(name) and name not in exported]
            unset = [name for name in gone if not _ITS_OWN.fullmatch(name)]
            drop = f"unset {' '.join(['BASH_ENV', *unset])}"
            # What it is started with need not be told again; but BASH_ENV is ours there.
            known = {**environment, "BASH_ENV": ""}
            variables = [
                each.declared for each in self.left.variables if each.exported_as != known.get(each.name, "\0")
            ]
            # Each evaluated on its own: what bash prints of a function, bash cannot always read.
            scripts = ("\n".join(variables), self.left.others)
            return "\n".join([drop, *(f"eval {shlex.quote(script)} 2>/dev/null" for script in scripts)])
        if not is_bash:
            return ""
        # A person's own BASH_ENV is read as it would have been; ours took its place.
        theirs = os.environ.get("BASH_ENV")
        read = f"BASH_ENV={shlex.quote(theirs)}\n. {shlex.quote(theirs)}" if theirs else "unset BASH_ENV"
        return f"{read}\nshopt -s expand_aliases"


def shell_path() -> str:
    known = (shutil.which("bash"), "/bin/bash", "/usr/bin/bash", shutil.which("sh"), "/bin/sh")
    return next((path for path in known if path and os.access(path, os.X_OK)), "/bin/sh")


def is_bash_at(shell: str) -> bool:
    return os.path.basename(shell) == "bash"


def is_bash_here() -> bool:
    return is_bash_at(shell_path())


def arguments(shell: str, line: str) -> list[str]:
    """Return what runs `line` in a shell, once its file is in the environment."""
    if is_bash_at(shell):
        return [shell, "-c", line]
    return [shell, "-c", f'if [ -n "${FILE}" ]; then . "${FILE}"; fi; eval "$1"', "sh", line]


def take(path: str) -> Left | None:
    """Read what a shell left there, and delete the file; None if it did not come to that."""
    try:
        text = Path(path).read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return None
    with contextlib.suppress(OSError):
        os.unlink(path)
    if not text.startswith(f"{_LEFT}\n") or not text.endswith(f"{_END}\n"):
        return None
    cwd, _, rest = text.removeprefix(f"{_LEFT}\n").partition("\0")
    variables, _, others = rest.partition(f"{_OTHERS}\n")
    return Left(cwd, tuple(_variables(variables)), _restoring(others))


def _variables(text: str) -> Iterator[Variable]:
    """Find what is to be carried over."""
    found: list[list[str]] = []
    for line in text.removesuffix("\n").split("\n"):
        match = _DECLARED.fullmatch(line)
        if match is None:
            # A value with a line end, which only sh and old bash write out as one.
            if found:
                found[-1][2] += f"\n{line}"
            continue
        flags = match["flags"]
        # Readonly it would be in the way of whoever sets it anew, as a script does that is run twice.
        how = "export" if flags is None else f"declare -{flags.replace('r', '') or '-'}"
        found.append([how, match["name"], match["value"]])
    for how, name, value in found:
        if not _ITS_OWN.fullmatch(name):
            plain = _PLAIN.fullmatch(value) if how in ("declare -x", "export") else None
            is_exported = how == "export" or "x" in how.partition("-")[2]
            yield Variable(name, f"{how} {name}{value}", plain and plain[2], is_exported)


def _restoring(text: str) -> str:
    """Put the options into few commands, which is several times as fast, without those that are not kept."""
    lines = text.split("\n")
    # First and last, so that what only looks like one, in the text of a function, is left as it is.
    begin = next((at for at, line in enumerate(lines) if not line.startswith("shopt -")), len(lines))
    end = next((at for at in range(len(lines), begin, -1) if not _IS_SET.match(lines[at - 1])), begin)
    commands: list[str] = []
    for how in ("shopt -s", "shopt -u"):
        names = [name for name in _named(lines[:begin], how) if name not in _NOT_TO_BE_SET]
        commands += [f"{how} {' '.join(names)}"] if names else []
    modes = [
        f"{sign}o {name}" for sign in "-+" for name in _named(lines[end:], f"set {sign}o") if name not in _NOT_KEPT
    ]
    rest = [line for line in lines[end:] if line.startswith("umask ")]
    return "\n".join([*commands, *lines[begin:end], *rest, *([f"set {' '.join(modes)}"] if modes else [])])


def _named(lines: list[str], how: str) -> list[str]:
    return [line.removeprefix(f"{how} ") for line in lines if line.startswith(f"{how} ")]
