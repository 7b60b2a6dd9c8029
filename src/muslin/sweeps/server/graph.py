"""GraphQL: the queries and mutations of W&B's clients, answered from the desk by the schema of schema.graphql."""

from __future__ import annotations

import json
import sqlite3
import sys
import traceback
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    NameNode,
    NoFragmentCyclesRule,
    OperationDefinitionNode,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    build_schema,
    execute_sync,
    extend_schema,
    get_named_type,
    is_input_object_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
    parse,
    validate,
    visit,
)
from graphql.error import GraphQLSyntaxError
from graphql.utilities import type_from_ast

from muslin.documents import document_of
from muslin.errors import InputError
from muslin.sweeps.server import artifacts
from muslin.sweeps.server.desk import ENTITY, Desk, object_of, worded
from muslin.sweeps.server.links import Links
from muslin.sweeps.server.nodes import Agent, Entity, Number, Project, Run, Sweep, User, Words, page, snake
from muslin.sweeps.server.store import Row

#: a field that every type has, null: what is asked for and not there is answered with it
NOTHING = "_nothing"
#: selections inside one another; no client goes half as deep
DEEPEST = 40


@cache
def schema() -> GraphQLSchema:
    text = Path(__file__).with_name("schema.graphql").read_text(encoding="utf-8")
    schema = build_schema(text)
    kinds = [name for name, kind in schema.type_map.items() if is_object_type(kind) and not name.startswith("__")]
    schema = extend_schema(schema, parse("\n".join(f"extend type {name} {{ {NOTHING}: String }}" for name in kinds)))
    union: Any = schema.type_map["ArtifactCollection"]
    union.resolve_type = lambda *_: "ArtifactSequence"
    return schema


@lru_cache(maxsize=256)
def document(query: str) -> DocumentNode:
    """The parsed query, in which each field that the schema has not is one that it answers with null.

    Raises GraphQLError: a syntax error, fragments in a ring, a mutation that is not there, selections too deep.
    """
    parsed = parse(query, max_tokens=20_000)
    if errors := validate(schema(), parsed, [NoFragmentCyclesRule]):
        raise errors[0]
    info = TypeInfo(schema())
    return visit(parsed, TypeInfoVisitor(info, _Known(info)))


class _Known(Visitor):
    def __init__(self, info: TypeInfo):
        super().__init__()
        self.info, self.depth = info, 0

    def enter_field(self, node: Any, *_: Any) -> Any:
        self.depth += 1
        if self.depth > DEEPEST:
            raise GraphQLError(f"Selections are nested more than {DEEPEST} deep.")
        name, parent = node.name.value, self.info.get_parent_type()
        if name.startswith("__") or parent is None or name in getattr(parent, "fields", {name: None}):
            return None
        if parent is schema().mutation_type:
            raise GraphQLError(f"This server has no {name}.")
        self.depth -= 1  # it is not entered, nor left
        alias = node.alias or NameNode(value=name)
        return FieldNode(name=NameNode(value=NOTHING), alias=alias, arguments=(), directives=node.directives)

    def leave_field(self, *_: Any) -> None:
        self.depth = max(0, self.depth - 1)


def answer(
    graph: Graph, query: str, variables: dict[str, Any] | None = None, operation: str | None = None
) -> dict[str, Any]:
    """{"data": …} and, where something went wrong, "errors"."""
    try:
        parsed = document(query)
        values = _known_variables(parsed, variables or {}, operation)
        result = execute_sync(
            schema(),
            parsed,
            root_value=graph,
            variable_values=values,
            operation_name=operation,
            field_resolver=_resolve,
        )
    except (GraphQLError, GraphQLSyntaxError, RecursionError) as error:
        return {"errors": [{"message": getattr(error, "message", "The query is too deep.")}], "data": None}
    errors = {"errors": [_error(error) for error in result.errors]} if result.errors else {}
    return {"data": result.data, **errors}


def _error(error: Any) -> dict[str, Any]:
    """What a client is told. Raises what may pass, such as a full disk: then the client tries again."""
    cause = error.original_error
    if passing(cause):
        raise cause
    if cause is not None and not isinstance(cause, InputError | GraphQLError):
        print("".join(traceback.format_exception(cause)), file=sys.stderr, flush=True)
        return {"message": "The server failed at this; its output says why.", "path": error.path}
    return {"message": str(cause or error.message), "path": error.path}


def passing(error: BaseException | None) -> bool:
    """Whether it may pass by itself, such as a full disk or a locked database, so that it is right to try again."""
    cause = error.__cause__ if isinstance(error, InputError) else error
    return isinstance(cause, OSError | sqlite3.Error) or type(cause).__module__.startswith(("sqlalchemy", "optuna"))


def _known_variables(parsed: DocumentNode, variables: dict[str, Any], operation: str | None) -> dict[str, Any]:
    """The variables, in their input objects only the keys that the schema has."""
    operations = [d for d in parsed.definitions if isinstance(d, OperationDefinitionNode)]
    operations = [d for d in operations if operation is None or (d.name and d.name.value == operation)] or operations
    types = {
        v.variable.name.value: type_from_ast(schema(), v.type)
        for asked in operations[:1]
        for v in asked.variable_definitions or ()
    }
    return {name: _pruned(value, types[name]) for name, value in variables.items() if types.get(name) is not None}


def _pruned(value: Any, kind: Any) -> Any:
    if is_non_null_type(kind):
        return _pruned(value, kind.of_type)
    if is_list_type(kind) and isinstance(value, list):
        return [_pruned(v, kind.of_type) for v in value]
    if is_input_object_type(kind) and isinstance(value, dict):
        return {key: _pruned(v, kind.fields[key].type) for key, v in value.items() if key in kind.fields}
    if isinstance(value, int) and get_named_type(kind).name in ("ID", "String"):
        return str(value)
    return value


def _resolve(source: Any, info: Any, **arguments: Any) -> Any:
    name = snake(info.field_name)
    value = source.get(info.field_name) if isinstance(source, dict) else getattr(source, name, None)
    return value(**{snake(key): v for key, v in arguments.items()}) if callable(value) else value


class Graph:
    """The root of queries and mutations. ``base`` is the address by which the client reached the server; ``links``
    makes the addresses of uploads and downloads."""

    def __init__(self, desk: Desk, base: str, links: Links):
        self.desk, self.store, self.base, self.links = desk, desk.store, base, links
        self.artifacts = artifacts  # its nodes, and those of nodes.py, lead to each other

    # Queries

    def viewer(self) -> User:
        return User()

    def server_info(self) -> dict[str, Any]:
        versions = {"max_cli_version": "99.0.0", "min_cli_version": "0.10.0"}
        return {"cliVersionInfo": versions, "features": [], "latestLocalVersionInfo": None}

    def entity(self, name: str | None = None) -> Entity:
        return Entity(name or ENTITY)

    def organization(self, name: str | None = None) -> Any:
        return None

    def users(self, query: str | None = None) -> dict[str, Any]:
        return {"edges": [{"node": User()}]}

    def project(self, name: str | None = None, entity_name: str | None = None) -> Project | None:
        row = self.desk.known_project(entity_name, name)
        return Project(self, row) if row else None

    def model(self, name: str | None = None, entity_name: str | None = None) -> Project | None:
        """For a client that asks before its first run; the project is begun, as at W&B."""
        return Project(self, self.desk.project(entity_name, name))

    def models(self, entity_name: str | None = None, after: Words = None, first: Number = None) -> dict[str, Any]:
        rows = self.store.rows("SELECT * FROM projects WHERE entity = ? ORDER BY created DESC", entity_name or ENTITY)
        return page([Project(self, row) for row in rows], after, first)

    def artifact(self, id: Any) -> Any:
        row = self.store.get("artifacts", id=artifacts.number(id))
        return row and artifacts.Artifact(self, row)

    def client_idmapping(self, client_id: str) -> dict[str, Any] | None:
        row = self.store.get("artifacts", client=client_id)
        return row and {"serverID": artifacts.id_of(row)}

    # Mutations on runs

    def upsert_model(self, input: dict[str, Any]) -> dict[str, Any]:
        known = self.desk.known_project(input.get("entityName"), input.get("name"))
        row = self.desk.project(input.get("entityName"), input.get("name"))
        if input.get("description") is not None:
            self.store.change("projects", {"id": row["id"]}, description=input["description"])
        project = Project(self, self.store.get("projects", id=row["id"]))
        return {"model": project, "project": project, "inserted": known is None}

    def upsert_bucket(self, input: dict[str, Any]) -> dict[str, Any]:
        row, inserted = self.desk.upsert_run(input)
        return {"bucket": Run(self, row), "inserted": inserted, "serverSettings": {"serverMessages": []}}

    def create_run_files(self, input: dict[str, Any]) -> dict[str, Any]:
        row = self._run(input)
        files = [{"name": name, "uploadUrl": self.links.upload(row, name)} for name in input["files"]]
        return {"runID": Run(self, row).id, "uploadHeaders": [], "files": files}

    def notify_scriptable_run_alert(self, input: dict[str, Any]) -> dict[str, Any]:
        self.desk.alert(self._run(input), *(input.get(key) for key in ("title", "text", "severity")))
        return {"success": True}

    def stop_run(self, input: dict[str, Any]) -> dict[str, Any]:
        row = self._run_of(input["id"])
        self.store.change("runs", {"id": row["id"]}, stop=1)
        led = self.desk.sweep_of(row)
        if led:
            with led.lock:
                led.stop(row["name"], "stopped by hand")
        return {"success": True}

    def delete_run(self, input: dict[str, Any]) -> dict[str, Any]:
        run = self.desk.run_by_id(input["id"])
        if run:  # else it is deleted already
            self.desk.delete_run(run)
        return {"success": True}

    def update_run_state(self, input: dict[str, Any]) -> dict[str, Any]:
        row = self._run_of(input["runID"])
        self.store.change("runs", {"id": row["id"]}, state=str(input.get("state")).lower())
        return {"success": True}

    def delete_files(self, input: dict[str, Any]) -> dict[str, Any]:
        for id in input["files"]:
            run, _, name = str(id).removeprefix("File:").partition(":")
            row = self._run_of(run)
            (self.links.place(row, name)).unlink(missing_ok=True)
        return {"success": True}

    def _run(self, input: dict[str, Any]) -> Row:
        """The run that an input names. Raises InputError."""
        row = self.desk.run(input.get("entityName"), input.get("projectName"), input.get("runName"))
        if row is None:
            raise InputError(f"There is no run {input.get('runName')!r} in the project {input.get('projectName')!r}.")
        return row

    def _run_of(self, id: Any) -> Row:
        row = self.desk.run_by_id(id)
        if row is None:
            raise InputError(f"There is no run with the id {id!r}.")
        return row

    # Mutations on sweeps

    def upsert_sweep(self, input: dict[str, Any]) -> dict[str, Any]:
        id = input.get("id")
        if id is None:
            return self._new_sweep(input)
        led = self.desk.sweep(str(id).rpartition(":")[2])
        if led is None:
            raise InputError(f"There is no sweep with the id {id!r}.")
        warnings = []
        with led.lock:
            if input.get("config"):
                warnings = led.update(_sweep_file(input["config"]))
            if input.get("state"):
                led.set_state(input["state"].upper())
            if input.get("displayName") is not None:
                self.store.change("sweeps", {"id": led.id}, display=input["displayName"])
        return {"sweep": Sweep(self, led.row), "configValidationWarnings": warnings}

    def _new_sweep(self, input: dict[str, Any]) -> Any:
        config = _sweep_file(input.get("config"))
        display = input.get("displayName")
        id, warnings = self.desk.create_sweep(input.get("entityName"), input.get("projectName"), config, display)
        if input.get("priorRunsFilters"):
            warnings.append("prior_runs are not used here: the search knows the runs of its own sweep only.")
        return {"sweep": Sweep(self, self.store.get("sweeps", id=id)), "configValidationWarnings": warnings}

    def create_agent(self, input: dict[str, Any]) -> dict[str, Any]:
        led = self.desk.sweep(input["sweep"].rpartition("/")[2])
        if led is None:
            raise InputError(f"There is no sweep {input['sweep']!r} here.")
        return {"agent": Agent(self, self.desk.create_agent(led.id, input.get("host")))}

    def agent_heartbeat(self, input: dict[str, Any]) -> dict[str, Any]:
        named = {key for key, there in object_of(input.get("runState") or "{}", "runState").items() if there}
        row, commands = self.desk.heartbeat(input["id"], named)
        agent = Agent(self, row) if row else {"id": input["id"]}
        return {"agent": agent, "commands": json.dumps(worded(commands))}

    # Mutations on artifacts: artifacts.py

    def create_artifact_type(self, input: dict[str, Any]) -> dict[str, Any]:
        return artifacts.create_type(self, input)

    def create_artifact(self, input: dict[str, Any]) -> dict[str, Any]:
        return artifacts.create(self, input)

    def create_artifact_manifest(self, input: dict[str, Any]) -> dict[str, Any]:
        return artifacts.create_manifest(self, input)

    def update_artifact_manifest(self, input: dict[str, Any]) -> dict[str, Any]:
        return artifacts.update_manifest(self, input)

    def create_artifact_files(self, input: dict[str, Any]) -> dict[str, Any]:
        return artifacts.create_files(self, input)

    def commit_artifact(self, input: dict[str, Any]) -> dict[str, Any]:
        return artifacts.commit(self, input)

    def use_artifact(self, input: dict[str, Any]) -> dict[str, Any]:
        return artifacts.use(self, input)

    def update_artifact(self, input: dict[str, Any]) -> dict[str, Any]:
        return artifacts.update(self, input)

    def delete_artifact(self, input: dict[str, Any]) -> dict[str, Any]:
        return artifacts.delete(self, input)

    def add_aliases(self, input: dict[str, Any]) -> dict[str, Any]:
        return artifacts.change_aliases(self, input, add=True)

    def delete_aliases(self, input: dict[str, Any]) -> dict[str, Any]:
        return artifacts.change_aliases(self, input, add=False)


def _sweep_file(text: str | None) -> dict[str, Any]:
    """The sweep file that a client sends: YAML. Raises InputError."""
    file = document_of(text or "", "The sweep")
    if not isinstance(file, dict):
        raise InputError("The sweep must be a YAML mapping, with a method and parameters.")
    return {key: value for key, value in file.items() if value is not None}
