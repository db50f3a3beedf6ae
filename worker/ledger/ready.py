"""Statements that are run as SQLAlchemy has compiled them once, without asking it again.

``Connection.execute`` looks a statement over each time, however often it has compiled it before, and each of its
parameters and rows: that takes 40 to 90 us, where SQLite takes 5 to 20 to run what an article needs a dozen of. What is
lost is what SQLAlchemy would do besides: many rows in one statement, and its events. Lists of any length (``IN``) are
for ``Among``.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import BindParameter, Connection, Dialect, Select, bindparam
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.types import TypeEngine

Statement = Select[Any] | UpdateBase
#: Lengths of lists that statements are compiled for; shorter ones are filled up, longer ones asked for in parts. SQLite
#: takes 32,766 parameters at most.
_SIZES: Final = (1, 4, 16, 64, 256)
_Processor = Callable[[Any], Any]


class Ready:
    """A statement that is made when it is first run, once for each kind of database.

    Args:
        make: Returns the statement, given the name of the dialect: ``sqlite`` or ``postgresql``.
        columns: Of an INSERT, and of an UPDATE that names none itself, the columns that are given values.
    """

    def __init__(self, make: Callable[[str], Statement], *columns: str) -> None:
        self._make, self._columns = make, columns
        self._compiled: dict[str, _Compiled] = {}

    def all(self, t: Connection, values: Mapping[str, Any]) -> list[Any]:
        """Run it and return its rows, with the names of their columns.

        Raises:
            sqlalchemy.exc.DBAPIError: as ``Connection.execute``.
        """
        compiled = self._for(t.dialect)
        found, described = _run(t, compiled.text, compiled.parameters(values))
        return compiled.shown(found, described, t.dialect) if found else []

    def first(self, t: Connection, values: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a row or nothing
        """Run it and return its first row, ``None`` when there is none. Raises as ``all``."""
        return next(iter(self.all(t, values)), None)

    def run(self, t: Connection, values: Mapping[str, Any]) -> int:
        """Run what returns no rows, and return how many rows it has written. Raises as ``all``."""
        compiled = self._for(t.dialect)
        cursor = _cursor(t)
        try:
            cursor.execute(compiled.text, compiled.parameters(values))
            return int(cursor.rowcount)
        except t.dialect.loaded_dbapi.Error as error:
            raise _named(t, cursor, compiled.text, error) from error
        finally:
            cursor.close()

    def run_all(self, t: Connection, rows: Iterable[Mapping[str, Any]]) -> int:
        """Run what returns no rows once for each of ``rows``, and return how many it has written. Raises as ``all``."""
        compiled = self._for(t.dialect)
        cursor = _cursor(t)
        try:
            cursor.executemany(compiled.text, [compiled.parameters(values) for values in rows])
            return int(cursor.rowcount)
        except t.dialect.loaded_dbapi.Error as error:
            raise _named(t, cursor, compiled.text, error) from error
        finally:
            cursor.close()

    def _for(self, dialect: Dialect) -> _Compiled:
        found = self._compiled.get(dialect.name)
        if found is None:
            found = self._compiled[dialect.name] = _compiled(self._make(dialect.name), self._columns, dialect)
        return found


class Among:
    """A query about the values of a list, which may be of any length.

    Args:
        make: Returns the query, given the parameters that stand for the values: ``column.in_(...)``. What it finds of
            some of the values must not depend on the others.
        type_: Of the values.
    """

    def __init__(
        self, make: Callable[[Sequence[BindParameter[Any]]], Select[Any]], type_: type[TypeEngine[Any]]
    ) -> None:
        self._make, self._type = make, type_
        self._sized: dict[int, Ready] = {}

    def all(self, t: Connection, among: Sequence[Any], values: Mapping[str, Any] | None = None) -> list[Any]:
        """Run it about ``among``, each given once, with ``values`` for its other parameters, and return its rows.

        Raises:
            sqlalchemy.exc.DBAPIError: as ``Connection.execute``.
        """
        found: list[Any] = []
        for start in range(0, len(among), _SIZES[-1]):
            some = among[start : start + _SIZES[-1]]
            size = next(size for size in _SIZES if size >= len(some))
            named = {f"among_{place}": value for place, value in enumerate(some)}
            # Asked for twice, a value is found once.
            named |= {f"among_{place}": some[-1] for place in range(len(some), size)}
            found += self._of(size).all(t, {**named, **(values or {})})
        return found

    def _of(self, size: int) -> Ready:
        found = self._sized.get(size)
        if found is None:
            binds = [bindparam(f"among_{place}", type_=self._type()) for place in range(size)]
            found = self._sized[size] = Ready(lambda _: self._make(binds))
        return found


def rows(t: Connection, text: str, values: Sequence[Any]) -> list[Sequence[Any]]:
    """Run a query that is written in the database's own way, and return its rows as the driver has them.

    Raises:
        sqlalchemy.exc.DBAPIError: as ``Connection.exec_driver_sql``.
    """
    return _run(t, text, values)[0]


def _run(t: Connection, text: str, parameters: Any) -> tuple[list[Sequence[Any]], Sequence[Any]]:  # noqa: ANN401
    """Return the rows of a statement, and what the driver says of their columns."""
    cursor = _cursor(t)
    try:
        cursor.execute(text, parameters)
        return cursor.fetchall(), cursor.description
    except t.dialect.loaded_dbapi.Error as error:
        raise _named(t, cursor, text, error) from error
    finally:
        cursor.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Compiled:
    """A statement as text, and what makes its parameters and its rows."""

    text: str
    #: Whether the driver tells parameters apart by their places, and not by name.
    by_place: bool
    #: The parameters in order, each with what makes a value of ours one of the driver's.
    given: Sequence[tuple[str, _Processor | None]]
    #: Parameters that are the same each time, as the driver takes them.
    fixed: Mapping[str, Any]
    row: Callable[[Iterable[Any]], Any]
    types: Sequence[TypeEngine[Any]]
    #: What makes a value of the driver's one of ours, with the number of its column: known from the first rows on.
    found: list[list[tuple[int, _Processor]]] = field(default_factory=list)

    def parameters(self, values: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a list or a mapping, as the driver wants
        """Return what the driver is given; of values that it has no parameter for nothing is kept."""
        known = {**values, **self.fixed} if self.fixed else values
        if self.by_place:
            return [known[name] if process is None else process(known[name]) for name, process in self.given]
        return {name: known[name] if process is None else process(known[name]) for name, process in self.given}

    def shown(self, rows: Iterable[Sequence[Any]], described: Sequence[Any], dialect: Dialect) -> list[Any]:
        """Return rows as they came from the driver, with its description of the columns, as ours."""
        if not self.found:
            # What a driver has for a type depends on what it calls the column's own (PEP 249, ``type_code``).
            made = (
                _made(type_, dialect, "result_processor", column[1])
                for type_, column in zip(self.types, described, strict=True)
            )
            self.found.append([(place, process) for place, process in enumerate(made) if process is not None])
        processes = self.found[0]
        if not processes:
            return list(map(self.row, rows))
        listed = []
        for row in rows:
            values = list(row)
            for place, process in processes:
                values[place] = process(values[place])
            listed.append(self.row(values))
        return listed


def _compiled(statement: Statement, columns: Sequence[str], dialect: Dialect) -> _Compiled:
    compiled: Any = statement.compile(dialect=dialect, column_keys=list(columns) or None)
    if compiled.post_compile_params:
        raise ValueError(f"lists of any length are for Connection.execute: {compiled}")
    # Of a column that is not named the value stands in the table.
    defaults = {column.key: column.default.arg for column in compiled.prefetch}
    binds = {name: bind for bind, name in compiled.bind_names.items()}
    fixed: dict[str, Any] = {}
    processors: dict[str, _Processor | None] = {}
    for name, bind in binds.items():
        process = _made(bind.type, dialect, "bind_processor")
        if name in defaults or not bind.required:
            value = defaults.get(name, bind.effective_value)
            fixed[name] = process(value) if process else value
        processors[name] = None if name in fixed else process
    described = statement.column_descriptions if isinstance(statement, Select) else _returned(statement)
    return _Compiled(
        text=str(compiled),
        by_place=bool(compiled.positional),
        given=[(name, processors[name]) for name in compiled.positiontup or binds],
        fixed=fixed,
        row=_row([column["name"] for column in described]),
        types=[column["type"] for column in described],
    )


def _row(names: Sequence[str]) -> Callable[[Iterable[Any]], Any]:
    # Of names that are known only now, which a class cannot be written with.
    made: Any = namedtuple("Row", names, rename=True)  # type: ignore[misc]  # noqa: PYI024
    row: Callable[[Iterable[Any]], Any] = made._make
    return row


def _returned(statement: UpdateBase) -> Sequence[Mapping[str, Any]]:
    return statement.returning_column_descriptions if statement.exported_columns else ()


def _made(type_: TypeEngine[Any], dialect: Dialect, name: str, *more: Any) -> _Processor | None:  # noqa: ANN401
    """Return what a type has for the values of a dialect, ``None`` where they stay as they are."""
    made: _Processor | None = getattr(type_.dialect_impl(dialect), name)(dialect, *more)
    return made


def _cursor(t: Connection) -> Any:  # noqa: ANN401 - that of a driver
    # What SQLAlchemy does before the first statement of a transaction.
    if not t.in_transaction():
        t.begin()
    return t.connection.cursor()


def _named(t: Connection, cursor: Any, text: str, error: Exception) -> Exception:  # noqa: ANN401 - that of a driver
    """Return an error of the driver as SQLAlchemy raises it; a connection that was lost is used no more."""
    dialect: Any = t.dialect
    lost = dialect.is_disconnect(error, t.connection.dbapi_connection, cursor)
    if lost:
        t.invalidate(error)
    base = dialect.loaded_dbapi.Error
    return DBAPIError.instance(text, None, error, base, connection_invalidated=lost, dialect=dialect)


__all__: Final = ["Among", "Ready", "rows"]
