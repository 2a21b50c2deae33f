"""Which files are there, and what is written in each?"""

import ast
import io
import tokenize
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "tollbridge"
PYTHON_FOLDERS = ("src", "tests", "bench", "migrations")
NOT_OURS = frozenset({"__pycache__", "node_modules", "data", "dist", "build"})

type_of_function = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Violation:
    """One line that breaks a rule, and what to do about it."""

    path: str
    line: int
    message: str

    def __str__(self) -> str:
        """Return the violation as editors and terminals link it."""
        return f"{self.path}:{self.line}: {self.message}"


@dataclass(frozen=True)
class Source:
    """One Python file: its path from the repository's root, with slashes, and its text."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """Return the parsed file."""
        return ast.parse(self.text)

    @cached_property
    def comments(self) -> tuple[tuple[int, str], ...]:
        """Return (line, text) of each comment; what stands in strings is no comment."""
        tokens = tokenize.generate_tokens(io.StringIO(self.text).readline)
        return tuple((t.start[0], t.string) for t in tokens if t.type == tokenize.COMMENT)

    @property
    def line_count(self) -> int:
        """Return how many lines the file has."""
        return len(self.text.splitlines())

    @property
    def module(self) -> str:
        """Return the dotted name: src/tollbridge/core/clock.py is tollbridge.core.clock."""
        parts = Path(self.path.removeprefix("src/")).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    def violation(self, node: ast.stmt | ast.expr | ast.excepthandler, message: str) -> Violation:
        """Return a violation at a node of this file."""
        return Violation(self.path, node.lineno, message)

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        """Yield every function and method, nested ones too."""
        return (node for node in ast.walk(self.tree) if isinstance(node, type_of_function))

    @cached_property
    def imported_names(self) -> dict[str, str]:
        """Return local name → dotted origin of everything imported anywhere in the file."""
        names: dict[str, str] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    top = alias.name.partition(".")[0]
                    names[alias.asname or top] = alias.name if alias.asname else top
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                for alias in node.names:
                    names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
        return names

    def origin(self, node: ast.expr) -> str:
        """Return where a name or attribute comes from: `time.time_ns`; "" where it is local."""
        attributes: list[str] = []
        while isinstance(node, ast.Attribute):
            attributes.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name) or node.id not in self.imported_names:
            return ""
        return ".".join((self.imported_names[node.id], *reversed(attributes)))


Rule = Callable[[Source], Iterator[Violation]]


def all_files() -> Iterator[Path]:
    """Yield every file of the repository that is neither generated nor installed."""
    folders = [ROOT]
    while folders:
        for entry in sorted(folders.pop().iterdir()):
            if entry.is_symlink():
                continue
            if entry.is_file():
                yield entry
            elif entry.name not in NOT_OURS and (
                entry.name == ".ci" or not entry.name.startswith(".")
            ):
                folders.append(entry)


def python_sources(*folders: str) -> tuple[Source, ...]:
    """Return the Python files below the named folders of the repository."""
    chosen = tuple(f"{folder}/" for folder in folders)
    paths = ((path, path.relative_to(ROOT).as_posix()) for path in all_files())
    return tuple(
        Source(name, path.read_text(encoding="utf-8"))
        for path, name in paths
        if name.endswith(".py") and name.startswith(chosen)
    )
