"""The named queries of `sql/queries/`, run inside the caller's transaction.

Whatever varies in a query is a `%(name)s` that a keyword fills: a value, the `Name` of a table, or a `Part`, which is
another query with its values. Rows come as objects, each column in the field of its name: their order in SQL says
nothing. A query that is not there, a value that is not given, a column that is no field and a field that is no column
raise at the first call, even when no row is found.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import fields
from functools import cached_property
from importlib import resources
from typing import Any, ClassVar, Protocol, TypeVar

from psycopg2.extensions import AsIs, ISQLQuote, cursor, quote_ident

from lambda_app.database.connection import Connection

_NAMED = re.compile(r"^-- (\w+) --\n", re.MULTILINE)
_VALUE = re.compile(r"%\((\w+)\)s")
_ARRAY_SPECIAL = re.compile(r'(["\\])')
_ESCAPED = r"\\\1"


class Part(AsIs):
    """A query with its values, as it stands in another one."""


class Name:
    """The name of a table or an index: quoted as one, not as a text. The methods are psycopg2's protocol ISQLQuote."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._connection: Connection | None = None

    def __conform__(self, protocol: object) -> "Name | None":
        return self if protocol is ISQLQuote else None

    def prepare(self, connection: Connection) -> None:
        self._connection = connection

    def getquoted(self) -> bytes:
        return quote_ident(self._name, self._connection).encode()


class _Dataclass(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Any]]


Row = TypeVar("Row", bound=_Dataclass)
Value = TypeVar("Value")


class Queries:
    """The queries of sql/queries/NOUN.sql, each below a line `-- name --`."""

    def __init__(self, noun: str) -> None:
        self.noun = noun

    @cached_property
    def texts(self) -> Mapping[str, str]:
        """Each query by its name."""
        text = resources.files("lambda_app").joinpath(f"sql/queries/{self.noun}.sql").read_text(encoding="utf-8")
        parts = _NAMED.split(text)[1:]
        return {name: query.strip() for name, query in zip(parts[::2], parts[1::2], strict=True)}

    @cached_property
    def _wanted(self) -> Mapping[str, frozenset[str]]:
        """The values that each query takes."""
        return {name: frozenset(_VALUE.findall(text)) for name, text in self.texts.items()}

    def __getitem__(self, name: str) -> str:
        try:
            return self.texts[name]
        except KeyError:
            raise LookupError(f"sql/queries/{self.noun}.sql has no query {name}") from None

    def run(self, connection: Connection, name: str, /, **values: object) -> int:
        """Runs a query for what it does; gives how many rows it did it to."""
        with self._execute(connection, name, values) as result:
            return result.rowcount

    def rows(self, connection: Connection, name: str, into: type[Row], /, **values: object) -> list[Row]:
        """The rows as objects of a dataclass."""
        with self._execute(connection, name, values) as result:
            columns = self._columns_for(name, result, into)
            return [into(**dict(zip(columns, row, strict=True))) for row in result]

    def row(self, connection: Connection, name: str, into: type[Row], /, **values: object) -> Row | None:
        """The only row as an object of a dataclass, None where there is none."""
        rows = self.rows(connection, name, into, **values)
        return self._only(name, rows) if rows else None

    def column(self, connection: Connection, name: str, of: type[Value], /, **values: object) -> list[Value]:
        """The values of the only column, each of this type."""
        with self._execute(connection, name, values) as result:
            return [self._checked(name, self._only(name, row), of) for row in result]

    def value(self, connection: Connection, name: str, of: type[Value], /, **values: object) -> Value:
        """The value of the only column of the only row."""
        return self._only(name, self.column(connection, name, of, **values))

    def value_or_none(self, connection: Connection, name: str, of: type[Value], /, **values: object) -> Value | None:
        """The same; None where there is no row, or the value is NULL."""
        rows = self.tuples(connection, name, **values)
        value = self._only(name, self._only(name, rows)) if rows else None
        return None if value is None else self._checked(name, value, of)

    def tuples(self, connection: Connection, name: str, /, **values: object) -> list[tuple[object, ...]]:
        """The rows as they come: for columns that have no name, or one twice."""
        with self._execute(connection, name, values) as result:
            return result.fetchall()

    def part(self, connection: Connection, name: str, /, **values: object) -> Part:
        """A query with its values, to be a value of another one."""
        text = self._text(name, values)
        with connection.cursor() as filling:
            return Part(filling.mogrify(text, values).decode().rstrip(";"))

    def _execute(self, connection: Connection, name: str, values: Mapping[str, object]) -> cursor:
        text = self._text(name, values)
        executed = connection.cursor()
        executed.execute(text, values)
        return executed

    def _text(self, name: str, values: Mapping[str, object]) -> str:
        text = self[name]
        missing = self._wanted[name] - values.keys()
        if missing:
            raise TypeError(f"{self.noun}.{name} lacks a value for {', '.join(sorted(missing))}")
        return text

    def _columns_for(self, name: str, result: cursor, into: type[_Dataclass]) -> list[str]:
        columns = [column.name for column in result.description or ()]
        wanted = [field.name for field in fields(into) if field.init]
        if sorted(columns) != sorted(wanted):
            raise TypeError(f"{self.noun}.{name} gives {', '.join(columns)}; {into.__name__} has {', '.join(wanted)}")
        return columns

    def _only(self, name: str, values: Iterable[Value]) -> Value:
        values = list(values)
        if len(values) != 1:
            raise TypeError(f"{self.noun}.{name} gives {len(values)} rows or columns where one is expected")
        return values[0]

    def _checked(self, name: str, value: object, of: type[Value]) -> Value:
        if not isinstance(value, of):
            raise TypeError(f"{self.noun}.{name} gives {value!r} where {of.__name__} is expected")
        return value


def union_all(parts: Iterable[Part]) -> Part:
    """The rows of each."""
    return Part(" UNION ALL ".join(map(str, parts)))


def array_literal(values: Iterable[str | int | None]) -> str:
    """An array as text, for `%s::text[]`: psycopg2 writes lists as expressions, which are slow to parse when long.

    >>> print(array_literal(["a", None, 'b"']), array_literal([1, 2]))
    {"a",NULL,"b\\""} {1,2}
    """
    values = list(values)
    # Each distinct value is quoted once: most columns hold few values many times.
    elements = {value: _array_element(value) for value in set(values)}
    return "{" + ",".join([elements[value] for value in values]) + "}"


def _array_element(value: str | int | None) -> str:
    if value is None:
        return "NULL"
    return str(value) if isinstance(value, int) else f'"{_ARRAY_SPECIAL.sub(_ESCAPED, value)}"'
