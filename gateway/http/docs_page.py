"""`/docs`: the OpenAPI document as a page to read. Made here, so that it needs no script and nothing from elsewhere."""

from collections.abc import Iterator
from html import escape
from typing import Any

import orjson

STYLE = """
:root { color-scheme: light dark; --line: #8886; --soft: #8882; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem 1.5rem 4rem; }
code, pre { font: 14px/1.45 ui-monospace, monospace; }
pre { background: var(--soft); padding: .75rem; overflow: auto; border-radius: 6px; }
section { border-top: 1px solid var(--line); margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; vertical-align: top; padding: .3rem .6rem;
border-bottom: 1px solid var(--line); } th { white-space: nowrap; }
.method { border: 1px solid; border-radius: 4px; padding: 0 .4rem; margin-right: .5rem; }
a:focus-visible, summary:focus-visible { outline: 3px solid; outline-offset: 2px; }
"""
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def docs_page(document: dict[str, Any], root: str) -> str:
    """The page; `root` is where the examples ask."""
    operations = [
        (path, method, told) for path, methods in document["paths"].items() for method, told in methods.items()
    ]
    return "".join(_page(document, operations, root))


def _page(document: dict[str, Any], operations: list[tuple[str, str, dict[str, Any]]], root: str) -> Iterator[str]:
    info = document["info"]
    yield f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(info['title'])}: HTTP API</title>"
    yield f"<meta name=viewport content='width=device-width'><style>{STYLE}</style><main>"
    yield f"<h1>{escape(info['title'])}: HTTP API</h1><p>Version {escape(info['version'])}. "
    yield "The same as a document for programs: <a href=/openapi.json>/openapi.json</a>.</p>"
    yield from (f"<p>{_prose(part)}</p>" for part in info["description"].split("\n\n"))
    yield "<nav aria-label=Addresses><ul>"
    for path, method, told in operations:
        yield f"<li><a href='#{told['operationId']}'><code>{method.upper()} {escape(path)}</code></a> "
        yield f"{escape(told['summary'])}</li>"
    yield "</ul></nav>"
    for path, method, told in operations:
        yield from _operation(document, path, method, told, root)
    yield "<section><h2>Schemas</h2>"
    for name, schema in document["components"]["schemas"].items():
        yield f"<details id='schema-{escape(name)}'><summary><code>{escape(name)}</code> "
        yield f"{_prose(schema.get('description', ''))}</summary>{_json(schema)}</details>"
    yield "</section></main></html>"


def _operation(document: dict[str, Any], path: str, method: str, told: dict[str, Any], root: str) -> Iterator[str]:
    yield f"<section id='{told['operationId']}'><h2><span class=method>{method.upper()}</span>"
    yield f"<code>{escape(path)}</code></h2><p><strong>{escape(told['summary'])}.</strong> "
    yield f"{_prose(told['description'])}</p>"
    if told.get("parameters"):
        yield "<h3>Parameters</h3><table><tr><th scope=col>name<th scope=col>in<th scope=col>what</tr>"
        for one in told["parameters"]:
            choices = ", ".join(f"<code>{escape(name)}</code>" for name in one["schema"].get("enum", ()))
            yield f"<tr><th scope=row><code>{escape(one['name'])}</code><td>{one['in']}"
            yield f"<td>{_prose(one['description'])} {choices}</tr>"
        yield "</table>"
    body = told.get("requestBody", {}).get("content", {}).get("application/json")
    if body:
        yield f"<h3>Body</h3><p>{_schema_link(body['schema'])}. {_prose(told['requestBody']['description'])}</p>"
        for name, example in body["examples"].items():
            yield f"<h4>{escape(name)}</h4><pre>{escape(_curl(root, path, example['value']))}</pre>"
    else:
        address = path
        for one in told.get("parameters", ()):
            value = one.get("example") or (one["schema"].get("enum") or [f"<{one['name']}>"])[0]
            address = address.replace(f"{{{one['name']}}}", value)
        yield f"<h3>Example</h3><pre>{escape(_curl(root, address, None))}</pre>"
    yield "<h3>Answers</h3><table><tr><th scope=col>status<th scope=col>what<th scope=col>document</tr>"
    for status, answer in told["responses"].items():
        known = document["components"]["responses"][answer["$ref"].rsplit("/", 1)[1]] if "$ref" in answer else answer
        links = ", ".join(_schema_link(content["schema"]) for content in known.get("content", {}).values())
        yield f"<tr><th scope=row>{status}<td>{_prose(known['description'])}<td>{links}</tr>"
    yield "</table></section>"


def _curl(root: str, address: str, body: Any) -> str:
    if body is None:
        return f"curl '{root}{address}'"
    text = orjson.dumps(body).decode().replace("'", "'\\''")
    return f"curl '{root}{address}' -H 'Content-Type: application/json' -d '{text}'"


def _schema_link(schema: dict[str, Any]) -> str:
    name = schema["$ref"].rsplit("/", 1)[1]
    return f"<a href='#schema-{escape(name)}'>{escape(name)}</a>"


def _json(schema: Any) -> str:
    return f"<pre>{escape(orjson.dumps(schema, option=orjson.OPT_INDENT_2).decode())}</pre>"


def _prose(text: str) -> str:
    """Text whose `code` becomes code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if at % 2 else part for at, part in enumerate(parts))
