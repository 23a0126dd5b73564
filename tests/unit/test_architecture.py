"""Rules about the source as a whole that no linter knows: what a module may be called, hold and reach for.

Layers, lint and types are in tests/embedded/test_static_checks.py; what is about Dagster's graph and runs in
tests/embedded/test_dagster_points.py, which also says where each point of the review's list is checked.
"""

import ast
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from resources.home import PROJECT_ROOT
from tests.conftest import PACKAGES

LONGEST = 300
LONGER_STILL = {"gateway/http/openapi.py"}
"""Modules to be divided; none may join them, and none of them may grow beyond 350 lines."""
VAGUE = {"util", "utils", "helper", "helpers", "misc", "lib"}
PLACES_OF_SQL = (
    "ontology_assets/events/heads",
    "resources/read_model/",
    "resources/sqlite_file.py",
)
"""Where SQL text is put together: names of tables, columns and numbered fields that the module made itself. A value is
always a parameter, so a text from outside can't get in."""
UNTYPED = {
    "transforms/validation.py": "what pydantic says of a document of any shape",
    "transforms/versions.py": "hashes any definition",
    "transforms/yaml_reading.py": "YAML as it was written",
    "transforms/expression_parts.py": "a node of sqlglot's untyped tree",
    "transforms/nodes/shape.py": "options of an expression, handed on",
    "transforms/nodes/table.py": "YAML as it was written",
    "transforms/preview/tracing.py": "a value of any column",
    "transforms/gx_import.py": "a module that is imported late",
    "ontology_assets/canonical.py": "any JSON value",
    "ontology_assets/events/heads_file.py": "what sqlite3 takes for parameters",
    "ontology_assets/model/loading.py": "YAML before it is validated",
    "ontology_assets/model/reference.py": "annotations of fields",
    "ontology_assets/model/references.py": "YAML before it is validated",
    "ontology_assets/projections/cells.py": "a cell of any declared type",
    "ontology_assets/queries/": "a question as it came, before it is read",
    "ontology_assets/commands/": "a command as it came, before it is read",
    "ontology_assets/states.py": "a JSON value of any property",
    "gateway/http/": "a JSON body as it came, and any JSON answer",
    "resources/dagster_": "signatures that Dagster prescribes",
    "gateway/cli/common.py": "prints any JSON value",
}
"""Modules whose public functions take or give a bare `Any`, with what it stands for."""


def modules(*packages: str) -> Iterator[tuple[str, ast.Module, str]]:
    """Path within the project, syntax tree and text of every module of ours."""
    for package in packages or PACKAGES:
        for file in sorted((PROJECT_ROOT / package).rglob("*.py")):
            text = file.read_text(encoding="utf-8")
            yield file.relative_to(PROJECT_ROOT).as_posix(), ast.parse(text), text


def parsed(path: str) -> ast.Module:
    return ast.parse((PROJECT_ROOT / path).read_text(encoding="utf-8"))


def module_level(tree: ast.Module) -> Iterator[ast.AST]:
    """Everything that runs when a module is imported: not the bodies of functions."""
    todo: list[ast.AST] = list(tree.body)
    while todo:
        node = todo.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            todo += ast.iter_child_nodes(node)


def reads_the_environment(tree: ast.Module) -> list[int]:
    """Lines at which importing the module asks for an environment variable."""
    names = {"environ", "getenv", "EnvVar"}
    return [
        node.lineno
        for node in module_level(tree)
        if (isinstance(node, ast.Attribute) and node.attr in names) or (isinstance(node, ast.Name) and node.id in names)
    ]


def test_no_module_reads_the_environment_when_it_is_imported() -> None:
    found = {path: lines for path, tree, _ in modules() if (lines := reads_the_environment(tree))}
    # Settings of libraries that must stand before these are imported, and are written, not read:
    assert set(found) <= {"gateway/cli/main.py", "resources/spark.py"}, found
    assert reads_the_environment(ast.parse("import os\nHOME = os.environ['HOME']"))
    assert not reads_the_environment(ast.parse("import os\ndef home(): return os.environ['HOME']"))


def test_packages_re_export_nothing() -> None:
    """An `__init__.py` is empty, or says what the package is."""
    found = [path for path, tree, _ in modules() if path.endswith("__init__.py") and tree.body]
    assert [path for path in found if any(not isinstance(one, ast.Expr) for one in parsed(path).body)] == []


def test_no_module_is_named_for_nothing() -> None:
    assert [path for path, _, _ in modules() if VAGUE & {*Path(path).with_suffix("").parts}] == []


def test_every_module_says_what_belongs_in_it() -> None:
    assert [path for path, tree, text in modules() if text.strip() and not ast.get_docstring(tree)] == []


def test_no_module_is_longer_than_a_reader_keeps_in_mind() -> None:
    long = {path: n for path, _, text in modules() if (n := len(text.splitlines())) > LONGEST}
    assert {path: n for path, n in long.items() if path not in LONGER_STILL or n > 350} == {}


def sql_from_parts(tree: ast.Module) -> list[int]:
    """Lines with a text that begins like SQL (whose words we write in capitals) and has something put into it."""
    verb = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|CREATE|DROP|ALTER|PRAGMA|WITH)\b")
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        and isinstance(node.values[0], ast.Constant)
        and verb.match(str(node.values[0].value))
        and any(isinstance(part, ast.FormattedValue) for part in node.values)
    ]


def test_sql_is_put_together_where_it_is_known_to_be_safe_and_nowhere_else() -> None:
    found = {path: lines for path, tree, _ in modules() if (lines := sql_from_parts(tree))}
    assert {path for path in found if not path.startswith(PLACES_OF_SQL)} == set(), found
    assert sql_from_parts(ast.parse("f\"SELECT * FROM t WHERE name = '{name}'\"")) == [1]


def annotations(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[ast.expr]:
    given = function.args
    everything = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
    yield from (one.annotation for one in everything if one is not None and one.annotation is not None)
    if function.returns is not None:
        yield function.returns


def public_functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from public_functions(node)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
            yield node


def test_any_stands_in_public_signatures_only_for_what_has_no_type_yet() -> None:
    found = {
        path: function.name
        for path, tree, _ in modules()
        for function in public_functions(tree)
        if any(isinstance(one, ast.Name) and one.id == "Any" for one in annotations(function))
    }
    assert {path: name for path, name in found.items() if not path.startswith(tuple(UNTYPED))} == {}
    assert [place for place in UNTYPED if not any(path.startswith(place) for path in found)] == []


OF_THE_SAMPLE = re.compile(r"flight|airline|airport|tail_?num|nyc|carrier", re.IGNORECASE)
DECLARED = PROJECT_ROOT / "orchestration" / "defs"


def test_no_word_of_the_sample_stands_in_the_product() -> None:
    """The sample is a folder of definitions: another domain needs no line of code, and none knows of this one."""
    kinds = {".py", ".js", ".html", ".css", ".json", ".svg", ".toml", ".sh"}
    files = [one for package in PACKAGES for one in (PROJECT_ROOT / package).rglob("*") if one.suffix in kinds]
    assert len(files) > 200
    found = {
        one.relative_to(PROJECT_ROOT).as_posix(): sorted(set(OF_THE_SAMPLE.findall(text)))
        for one in files
        if DECLARED not in one.parents
        and OF_THE_SAMPLE.search(text := f"{one.relative_to(PROJECT_ROOT)}\n{one.read_text(encoding='utf-8')}")
    }
    assert found == {}


def test_the_sample_is_definitions_and_no_code() -> None:
    assert [one.name for one in DECLARED.rglob("*.py") if one.read_text().strip()] == []


def test_packages_with_common_names_are_ours() -> None:
    for package in PACKAGES:
        found = importlib.util.find_spec(package)
        assert found is not None
        assert found.origin == str(PROJECT_ROOT / package / "__init__.py")


def calls(tree: ast.AST, *names: str) -> Iterator[ast.Call]:
    """Calls of a function by its last name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in names:
                yield node


def given(call: ast.Call) -> set[str | None]:
    return {keyword.arg for keyword in call.keywords}


def test_point_11_envelopes_are_appended_in_two_places() -> None:
    """Objects' events with the envelope of their load in one record; every other envelope by `publish`. Commands of
    people append what they say themselves, through the log's own queue (`events/group.py`), and no envelope; so does
    who gives a dead letter up."""
    found = [
        path
        for path, tree, _ in modules("orchestration", "ontology_assets", "transforms", "gateway")
        if not path.startswith(("ontology_assets/events/", "ontology_assets/commands/"))
        for call in calls(tree, "append")
        if len(call.args) == 2 and isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value).endswith("log")
    ]
    assert found == [
        "orchestration/components/object_assets.py",
        "ontology_assets/materializations.py",
        "ontology_assets/projections/deadletters/skipping.py",
    ]


def one_partition_at_a_time(tree: ast.Module) -> list[int]:
    return [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr == "partition_key"]


def test_point_12_no_asset_asks_for_its_one_partition() -> None:
    found = {path: lines for path, tree, _ in modules("orchestration") if (lines := one_partition_at_a_time(tree))}
    assert found == {}
    assert one_partition_at_a_time(ast.parse("key = context.partition_key")) == [1]
    assert one_partition_at_a_time(ast.parse("keys = context.partition_keys")) == []


def test_point_18_sensors_and_schedules_say_whether_they_run() -> None:
    makers = ("sensor", "schedule", "ScheduleDefinition", "SensorDefinition", "AutomationConditionSensorDefinition")
    every = [(path, call) for path, tree, _ in modules("orchestration") for call in calls(tree, *makers)]
    made = [(path, call) for path, call in every if isinstance(call.func, ast.Attribute)]
    assert len(made) >= 2
    assert [path for path, call in made if "default_status" not in given(call)] == []


def swallowing(tree: ast.Module) -> list[int]:
    """Lines of handlers of any exception whatever."""
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or any(name in ast.unparse(node.type) for name in ("BaseException", "Exception")))
    ]


def test_point_20_no_check_makes_a_result_of_any_exception_whatever() -> None:
    assert {path: lines for path, tree, _ in modules("orchestration") if (lines := swallowing(tree))} == {}
    assert swallowing(ast.parse("try:\n  f()\nexcept Exception:\n  passed = False")) == [3]


def test_point_21_a_permanent_failure_is_never_retried_and_no_step_retries_by_itself() -> None:
    for path, tree, text in modules("orchestration"):
        assert "RetryPolicy" not in text, path
        assert "RetryRequested" not in text, path
        for call in calls(tree, "Failure"):
            assert "allow_retries" in given(call), f"{path}:{call.lineno}"


@pytest.mark.parametrize("folder", ["unit", "contracts", "embedded", "kills", "browser", "ui", "docs"])
def test_point_24_nothing_of_ours_is_mocked(folder: str) -> None:
    def mocks(tree: ast.Module) -> bool:
        imported = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
        return any("mock" in ast.unparse(node) for node in imported)

    assert [path for path, tree, _ in modules(f"tests/{folder}") if mocks(tree)] == []
    assert mocks(ast.parse("from unittest.mock import patch"))
