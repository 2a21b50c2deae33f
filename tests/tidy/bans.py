"""Which ways of writing lead to trouble later?

Each function is one rule: it takes a file and yields what breaks the rule in it.
"""

import ast
import re
from collections.abc import Iterator

from tests.tidy.source import Source, Violation

CATCH_ALL = frozenset({"Exception", "BaseException"})
EDGES = ("src/tollbridge/processes/", "src/tollbridge/jobs/")
EDGE_COMMENT = "process edge:"

CLOCK = "src/tollbridge/core/clock.py"
CLOCK_READS = frozenset(
    {
        "time.time",
        "time.time_ns",
        "datetime.datetime.now",
        "datetime.datetime.utcnow",
        "datetime.datetime.today",
        "datetime.date.today",
    }
)

MONEY = ("src/tollbridge/core/money", "src/tollbridge/rating/", "src/tollbridge/ledger/")

UNIT = "src/tollbridge/storage/unit.py"
STORAGE = "src/tollbridge/storage/"

READ_ONLY_TYPES = frozenset(
    {"Mapping", "MappingProxyType", "Sequence", "Collection", "Set", "tuple", "frozenset"}
)
MUTABLE_CALLS = frozenset(
    {
        "list",
        "dict",
        "set",
        "bytearray",
        "collections.defaultdict",
        "collections.deque",
        "collections.Counter",
        "collections.OrderedDict",
        "weakref.WeakKeyDictionary",
        "weakref.WeakValueDictionary",
        "weakref.WeakSet",
    }
)
MUTABLE_LITERALS = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)

PATCHERS = frozenset({"patch", "patch.object", "patch.dict", "patch.multiple"})
NOQA = re.compile(
    r"#\s*noqa\b(?P<codes>:\s*[A-Z]+\d+(?:[,\s]+[A-Z]+\d+)*)?(?P<reason>.*)", re.DOTALL
)
PYRIGHT = re.compile(r"#\s*pyright:\s*ignore(?P<codes>\[[\w, ]+\])?(?P<reason>.*)", re.DOTALL)
REASON = re.compile(r"\w+\W+\w+")


def catch_alls(source: Source) -> Iterator[ast.ExceptHandler]:
    """Yield the handlers that catch everything and do not end by raising."""
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.ExceptHandler) or isinstance(node.body[-1], ast.Raise):
            continue
        caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
        if any(c is None or (isinstance(c, ast.Name) and c.id in CATCH_ALL) for c in caught):
            yield node


def no_catch_all(source: Source) -> Iterator[Violation]:
    """Yield catch-alls that neither end by raising nor stand at a process edge or in a job loop."""
    edge_lines = {line for line, text in source.comments if EDGE_COMMENT in text}
    for handler in catch_alls(source):
        beside = {handler.lineno - 1, handler.lineno, handler.lineno + 1}
        if not source.path.startswith(EDGES) and not edge_lines & beside:
            yield source.violation(
                handler, f"catch what you can name, re-raise, or say `# {EDGE_COMMENT} why`"
            )
    for node in ast.walk(source.tree):
        if (
            isinstance(node, ast.Call)
            and source.origin(node.func) == "contextlib.suppress"
            and any(isinstance(a, ast.Name) and a.id in CATCH_ALL for a in node.args)
        ):
            yield source.violation(node, "suppress what you can name")


def no_global(source: Source) -> Iterator[Violation]:
    """Yield every `global`."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Global):
            yield source.violation(node, f"global {', '.join(node.names)}: pass it in instead")


def no_mutable_module_state(source: Source) -> Iterator[Violation]:
    """Yield lists, dicts and sets of a module that could change; a read-only annotation will do."""
    for statement in module_level(source.tree.body):
        if isinstance(statement, ast.AnnAssign):
            target, value = statement.target, statement.value
            if value is None or read_only(statement.annotation):
                continue
        elif isinstance(statement, ast.Assign):
            target, value = statement.targets[0], statement.value
        else:
            continue
        name = target.id if isinstance(target, ast.Name) else ast.unparse(target)
        if name != "__all__" and is_mutable(source, value):
            yield source.violation(
                statement, f"{name} can change; use a tuple, a frozenset or a Mapping annotation"
            )


def module_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements that run on import, those inside `if` and `try` too."""
    for statement in body:
        yield statement
        if isinstance(statement, (ast.If, ast.Try, ast.With, ast.For, ast.While)):
            yield from module_level(statement.body)
            yield from module_level(getattr(statement, "orelse", []))


def read_only(annotation: ast.expr) -> bool:
    """Return whether an annotation promises that nobody changes the value."""
    if isinstance(annotation, ast.Subscript):
        if ast.unparse(annotation.value).rpartition(".")[2] == "Final":
            return read_only(annotation.slice)
        annotation = annotation.value
    return ast.unparse(annotation).rpartition(".")[2] in READ_ONLY_TYPES


def is_mutable(source: Source, value: ast.expr) -> bool:
    """Return whether an expression makes a container that can change."""
    if isinstance(value, ast.Call):
        return (source.origin(value.func) or ast.unparse(value.func)) in MUTABLE_CALLS
    return isinstance(value, MUTABLE_LITERALS)


def no_inner_import(source: Source) -> Iterator[Violation]:
    """Yield imports that do not stand on top of the file, where the dependency is seen."""
    for function in source.functions():
        for node in ast.walk(function):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                yield source.violation(node, f"an import inside {function.name} hides a cycle")


def clock_only(source: Source) -> Iterator[Violation]:
    """Yield readings of the wall clock outside of core/clock.py."""
    if source.path == CLOCK:
        return
    for node in ast.walk(source.tree):
        if isinstance(node, (ast.Attribute, ast.Name)) and source.origin(node) in CLOCK_READS:
            yield source.violation(node, f"{source.origin(node)}: take a Clock instead")


def no_float_money(source: Source) -> Iterator[Violation]:
    """Yield floats where money is calculated."""
    if not source.path.startswith(MONEY):
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, float):
            yield source.violation(node, f"{node.value} is a float; write Decimal or an int")
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "float":
            yield source.violation(node, "float() loses money; use Decimal")


def one_commit(source: Source) -> Iterator[Violation]:
    """Yield commits outside of storage/unit.py."""
    if source.path == UNIT:
        return
    knows_sql = any(name.startswith("sqlalchemy") for name in source.imported_names.values())
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr == "commit":
                yield source.violation(node, f"commit belongs in {UNIT}")
            elif node.func.attr == "begin" and knows_sql and not source.path.startswith(STORAGE):
                yield source.violation(node, f"begin() commits at its end; use {UNIT}")
        elif (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and node.value.strip(" ;\n") == "COMMIT"
        ):
            yield source.violation(node, f"COMMIT belongs in {UNIT}")


def no_own_patching(source: Source) -> Iterator[Violation]:
    """Yield patches of our own code: a test injects a clock, a connector or a transport."""
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        called = ast.unparse(node.func)
        origin = source.origin(node.func)
        patches = called in {"monkeypatch.setattr", "monkeypatch.delattr", "setattr"} or any(
            called == p or called.endswith(f"mock.{p}") or origin == f"unittest.mock.{p}"
            for p in PATCHERS
        )
        if patches and names_own(source, node.args[0]):
            yield source.violation(node, f"{called} on our own code: inject it instead")


def names_own(source: Source, target: ast.expr) -> bool:
    """Return whether a patch's target is a part of the package, as text or as an object."""
    if isinstance(target, ast.Constant) and isinstance(target.value, str):
        return target.value.split(".")[0] == "tollbridge"
    return source.origin(target).split(".")[0] == "tollbridge"


def reasoned_ignores(source: Source) -> Iterator[Violation]:
    """Yield ignores without a code, or without a reason on their own line or the one above."""
    texts = dict(source.comments)
    for line, text in source.comments:
        if re.search(r"#\s*type:\s*ignore", text) or re.search(r"#\s*ruff:\s*noqa(?!:)", text):
            yield Violation(source.path, line, "use `# noqa: CODE` or `# pyright: ignore[code]`")
        for pattern in (NOQA, PYRIGHT):
            found = pattern.search(text)
            if found is None:
                continue
            if not found["codes"]:
                yield Violation(source.path, line, "an ignore needs a code")
            above = texts.get(line - 1, "") if is_own_line(source, line - 1) else ""
            before = text[: found.start()]
            if not any(REASON.search(part) for part in (found["reason"], before, above)):
                yield Violation(source.path, line, "an ignore needs a reason beside it")


def is_own_line(source: Source, line: int) -> bool:
    """Return whether a line holds nothing but a comment."""
    return source.text.splitlines()[line - 1].lstrip().startswith("#") if line else False
