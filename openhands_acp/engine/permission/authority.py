"""By which words a command line may be allowed ahead, and which lines that begin with them are something else. Pure.

A person who allows `sort …` means sorting, and not the option of it that writes a file or runs a program.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from openhands_acp.engine.permission.reads import only_reads, spells


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_WITH_SUBCOMMANDS = _words(
    """
    git npm pnpm yarn bun cargo go uv pip poetry pdm hatch dotnet docker podman kubectl helm terraform gh brew apt
    apt-get dnf mvn gradle rustup conda mamba composer bundle rails mix nix svn hg
    """
)
_NEVER_BY_NAME = _words(
    """
    sh bash zsh dash ash fish ksh csh tcsh mksh busybox toybox pwsh powershell cmd wsl
    eval exec source . command builtin
    python pypy ipython node nodejs deno tsx ts-node ruby irb perl php lua tclsh expect osascript groovy scala julia r
    rscript gawk mawk nawk awk sed ed ex vi vim nvim view emacs nano m4 dc
    env sudo su doas pkexec runuser gosu chroot unshare nsenter setsid setpriv stdbuf ionice chrt taskset flock fakeroot
    nohup time timeout nice watch script strace ltrace gdb lldb valgrind perf screen tmux entr parallel xargs find fd
    alias unalias export set trap unset enable hash shopt
    ssh scp sftp ftp rsync telnet nc ncat netcat socat curl wget openssl mail sendmail
    man less more most tar bsdtar cpio zip unzip 7z split csplit tee dd install truncate ln link rm rmdir unlink mv cp
    shred chmod chown chgrp chattr setfacl patch
    sqlite sqlite3 psql mysql mariadb mongo redis-cli
    kill pkill killall mkfs mount umount losetup crontab at batch systemctl service launchctl reboot shutdown
    make gmake just ninja rake task npx pnpx bunx uvx pipx nix-shell ld ldd gcc g++ cc clang tcc
    """
)
"""Programs whose arguments carry the authority: they run, write, delete or send what they are told to."""
_NEVER_SECOND = _words(
    """
    exec run run-script x dlx create explore config set node tool container compose runner r eval script shell develop
    alias extension plugin api
    bisect submodule difftool mergetool filter-branch instaweb daemon worktree credential hook maintenance
    """
)
"""Likewise, subcommands."""
_RUNNERS = _words("npm pnpm yarn bun uv poetry pdm hatch go cargo dotnet docker podman mix")
"""Whose `run` is followed by a name: of a script of the project's, a program, an image."""
_ESCAPES = {
    "apt": ("-o", "--option", "-c", "--config-file"),
    "apt-get": ("-o", "--option", "-c", "--config-file"),
    "cargo": ("--config",),
    "git": (
        *("--upload-pack", "--receive-pack", "--exec", "--extcmd", "--config", "--template", "--output", "--ext-diff"),
        *(
            "--textconv",
            "--open-files-in-pager",
            "--to-cmd",
            "--cc-cmd",
            "--sendmail-cmd",
            "--smtp-server",
            "--git-dir",
        ),
        *("--work-tree", "--separate-git-dir", "ext::"),
    ),
    "git archive": ("-o", "--remote"),
    "git clone": ("-c", "-u"),
    "git format-patch": ("-o",),
    "git grep": ("-O",),
    "git rebase": ("-x", "-i", "--interactive"),
    "go": ("-exec", "--exec", "-toolexec", "--toolexec", "-vettool", "--vettool", "-overlay", "--overlay"),
    "go env": ("-w", "-u"),
    "helm": ("--post-renderer", "--kubeconfig"),
    "gradle": ("-I", "--init-script"),
    "hg": ("--config",),
    "kubectl": ("--kubeconfig",),
    "npm": ("--script-shell", "--userconfig", "--globalconfig", "--node-options", "--shell"),
    "pip": ("--python", "--config-settings", "--global-option"),
    "pnpm": ("--script-shell", "--shell-emulator", "--node-options"),
    "svn": ("--diff-cmd", "--diff3-cmd", "--editor-cmd", "--config-option", "--config-dir"),
    "uv": ("--config-file", "--directory", "--python", "-p"),
}
"""What an argument begins with that makes a program, or a subcommand of it, run another or write elsewhere."""
_NAME = re.compile(r"[\w.+-]+")
"""Of a program that is looked for, and not at a place."""
_ENDING = re.compile(r"(?:[\d.]+|\.(?:exe|com|cmd|bat))*\Z")


def leading(words: Sequence[str]) -> list[str]:
    """Return the words that name what a command does, or nothing if only the whole line does."""
    if not words or _is_never(words[0]) or not _NAME.fullmatch(words[0]):
        return []
    named = _named(words)
    return named if stays_within(words, named) else []


def _named(words: Sequence[str]) -> list[str]:
    if words[0] not in _WITH_SUBCOMMANDS:
        return [words[0]]
    if len(words) < 2 or words[1][:1] in ("-", "+"):
        # `git -c`, `cargo +nightly`: what comes after decides.
        return []
    if words[1] not in _NEVER_SECOND:
        return list(words[:2])
    is_script = words[1] == "run" and words[0] in _RUNNERS and len(words) > 2
    return list(words[:3]) if is_script and not words[2].startswith("-") and not _is_never(words[2]) else []


def stays_within(words: Sequence[str], named: Sequence[str]) -> bool:
    """Tell whether a line that begins with `named` does what these say, and has no option that does more."""
    if not named:
        return False
    escapes = [*_ESCAPES.get(named[0], ()), *_ESCAPES.get(" ".join(named[:2]), ())]
    if any(spells(word, escape) for word in words[len(named) :] for escape in escapes):
        return False
    return only_reads(words) or not only_reads(named)


def _is_never(program: str) -> bool:
    """Look at a name without its version and its ending: `python3.12`, `CMD.EXE`."""
    name = program.lower()
    return name in _NEVER_BY_NAME or _ENDING.sub("", name) in _NEVER_BY_NAME
