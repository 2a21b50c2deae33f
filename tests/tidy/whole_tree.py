"""What can only be seen with all files side by side?"""

import ast
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import PurePosixPath

from tests.tidy.source import Source, Violation

# Written so that no pattern matches its own text.
FORBIDDEN_TEXT = {
    "a path of somebody's machine": re.compile(r"(?<![\w.])/(?:work|farm|home|root|Users)/[\w.]"),
    "a host of a package registry": re.compile(
        r"\bpy(?:pi|thonhosted)[.]org|\bnpm(?:js)[.](?:org|com)|\bregistry[.](?:npm|yarn)"
    ),
}


def named_modules(source: Source) -> frozenset[str]:
    """Return every module that a file imports, or names in full in a text such as `-m` takes."""
    names: set[str] = set()
    is_package = source.path.endswith("/__init__.py")
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                up = node.level - (1 if is_package else 0)
                parts = source.module.split(".")
                base = ".".join([*parts[: len(parts) - up], *([base] if base else [])])
            names.add(base)
            names.update(f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names.add(node.value)
    return frozenset(names)


def dead_modules(
    sources: Collection[Source], others: Iterable[Source], entry_points: Collection[str]
) -> Iterator[Violation]:
    """Yield files of `src` that no other one uses and where no process begins.

    `others` are files outside of `src` that keep a module alive; tests do not.
    """
    named = {source.module: named_modules(source) for source in sources}
    outside = frozenset[str]().union(*(named_modules(source) for source in others))
    for source in sources:
        used = source.module in outside or any(
            source.module in names for module, names in named.items() if module != source.module
        )
        begins = source.path.endswith(("/__init__.py", "/__main__.py"))
        if not (used or begins or source.module in entry_points):
            yield Violation(source.path, 1, "nothing imports this file")


def dead_data(paths: Iterable[str], texts: Iterable[str]) -> Iterator[Violation]:
    """Yield data files of the package that no code names, neither them nor their folder."""
    everything = "\n".join(texts)
    for path in paths:
        pure = PurePosixPath(path)
        if pure.name not in everything and f'"{pure.parent.name}"' not in everything:
            yield Violation(path, 1, "nothing reads this file")


def leaks(texts: Mapping[str, str]) -> Iterator[Violation]:
    """Yield mentions of a path of somebody's machine, or of where packages come from."""
    for path, text in texts.items():
        for what, pattern in FORBIDDEN_TEXT.items():
            for found in pattern.finditer(text):
                line = text.count("\n", 0, found.start()) + 1
                yield Violation(path, line, f"{what}: {found.group()}")
