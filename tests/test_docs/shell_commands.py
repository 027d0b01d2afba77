"""Commands in the documentation: the shell blocks of all pages, a command each."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = (
    ROOT / 'README.md',
    ROOT / 'CONTRIBUTING.md',
    *sorted((ROOT / 'docs').rglob('*.md')),
    ROOT / 'projects/point_peft/README.md',
    ROOT / 'checkpoints/README.md',
)
FENCED = re.compile(r'^( *)```(\w*)[^\n]*\n(.*?)^ *```', re.MULTILINE | re.DOTALL)
SHELLS = ('bash', 'sh', 'shell', 'console')
BEGINS = re.compile(r'(\$ |\w+=\S+ )?(python|bash|pip|point-peft|git|mim|mkdocs) ')
"""What a line in a block without a language begins with if it is a command."""


@dataclass(frozen=True)
class Command:
    """One command.

    Attributes:
        page (str): Where it stands, relative to the repository.
        text (str): As it stands there, on one line, without its comment.
    """

    page: str
    text: str


def commands_in(page: Path) -> list[Command]:
    """The commands of a page in their order; lines that end in a backslash go on."""
    found = []
    for _, language, block in FENCED.findall(page.read_text()):
        lines = block.replace('\\\n', ' ').splitlines()
        if language in SHELLS:
            texts = [re.sub(r'(^|\s)#.*$', '', line.removeprefix('$ ')) for line in lines]
            name = page.relative_to(ROOT).as_posix()
            found += [Command(name, ' '.join(text.split())) for text in texts if text.strip()]
        else:  # a block of another language that begins with a program would be overlooked
            overlooked = language in ('', 'text') and lines and BEGINS.match(lines[0])
            assert not overlooked, f'{page.name}: say of the block that begins "{lines[0]}" that it is bash'
    return found


@cache
def all_commands() -> dict[str, list[Command]]:
    """The commands of every page that has any; one that stands in several pages is in the first."""
    seen: set[str] = set()
    pages = {}
    for page in PAGES:
        fresh = [command for command in commands_in(page) if command.text not in seen]
        seen |= {command.text for command in fresh}
        if fresh:
            pages[fresh[0].page] = list({command.text: command for command in fresh}.values())
    return pages


def words_of(text: str, home: Path) -> list[str]:
    """The words of a command as bash makes them, with ``~`` and ``$(...)``; those of a synopsis without brackets."""
    bash = shutil.which('bash')
    assert bash is not None
    done = subprocess.run(
        [bash, '-c', rf"printf '%s\0' {text}"], env=dict(HOME=str(home)), stdout=subprocess.PIPE, text=True, check=True
    )  # fmt: skip
    words = done.stdout.split('\0')[:-1]
    synopsis = [word if '=' in word else word.strip('[]') for word in words]
    return [word for word in synopsis if word != '...']
