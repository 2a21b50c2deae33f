"""Does everything fit on a screen?"""

import ast
from collections.abc import Iterator

from tests.tidy.source import Source, Violation

FUNCTION_LINES_MAX = 70
PARAMETERS_MAX = 8
FILE_LINES_MAX = 400
README_LINES_MAX = 40
README_HEADINGS = ("owns", "does not own", "invariants")


def function_length(source: Source) -> Iterator[Violation]:
    """Yield functions of more than 70 lines, from `def` to the end."""
    for function in source.functions():
        lines = (function.end_lineno or function.lineno) - function.lineno + 1
        if lines > FUNCTION_LINES_MAX:
            yield source.violation(
                function, f"{function.name} has {lines} lines, at most {FUNCTION_LINES_MAX}"
            )


def parameter_count(source: Source) -> Iterator[Violation]:
    """Yield functions of more than 8 parameters, `self` and `cls` aside."""
    for function in source.functions():
        arguments = function.args
        named = [*arguments.posonlyargs, *arguments.args]
        if named and named[0].arg in {"self", "cls"}:
            named = named[1:]
        rest = [a for a in (arguments.vararg, arguments.kwarg) if a is not None]
        count = len(named) + len(arguments.kwonlyargs) + len(rest)
        if count > PARAMETERS_MAX:
            yield source.violation(
                function, f"{function.name} takes {count} parameters, at most {PARAMETERS_MAX}"
            )


def file_length(source: Source) -> Iterator[Violation]:
    """Yield a violation for a file of more than 400 lines."""
    if source.line_count > FILE_LINES_MAX:
        yield Violation(
            source.path,
            source.line_count,
            f"the file has {source.line_count} lines, at most {FILE_LINES_MAX}",
        )


def module_docstring(source: Source) -> Iterator[Violation]:
    """Yield modules that do not begin with the question they answer, or say nothing at all."""
    docstring = ast.get_docstring(source.tree)
    if not docstring:
        yield Violation(source.path, 1, "the docstring is missing")
    elif "?" not in docstring and not source.path.endswith("/__init__.py"):
        yield Violation(source.path, 1, "which question does this module answer?")


def package_readme(path: str, text: str | None) -> Iterator[Violation]:
    """Yield what a package README lacks: owns, does not own, invariants, in at most 40 lines."""
    if text is None:
        yield Violation(path, 1, "the package has no README.md")
        return
    lines = text.splitlines()
    if len(lines) > README_LINES_MAX:
        yield Violation(path, len(lines), f"{len(lines)} lines, at most {README_LINES_MAX}")
    missing = [word for word in README_HEADINGS if word not in text.lower()]
    if missing:
        yield Violation(path, 1, f"the README does not say: {', '.join(missing)}")
