"""Artifacts: versions of a named collection of files, kept as plain files.

RUNS_DIR/PROJECT/artifacts/COLLECTION/v3/…                the files
RUNS_DIR/PROJECT/artifacts/COLLECTION/v3.manifest.json    what W&B's client says is in them
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from functools import cached_property
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from muslin.errors import InputError
from muslin.files import atomic, read_json, write_json
from muslin.sweeps.server import nodes
from muslin.sweeps.server.links import confined, facts
from muslin.sweeps.server.nodes import Number, Words
from muslin.sweeps.server.store import Row, Store, folder_name

if TYPE_CHECKING:
    from muslin.sweeps.server.graph import Graph

LATEST = "latest"


def id_of(row: Row) -> str:
    return f"Artifact:{row['id']}"


def number(id: Any) -> int:
    try:
        return int(str(id).rpartition(":")[2])
    except ValueError:
        return -1


def _known(graph: Graph, id: Any) -> Row:
    row = graph.store.get("artifacts", id=number(id))
    if row is None:
        raise InputError(f"There is no artifact with the id {id!r}.")
    return row


def find(graph: Graph, project: Row, name: str) -> Row | None:
    """The committed artifact "collection:alias" of a project; without an alias the latest. None if there is none."""
    name, _, alias = name.rpartition("/")[2].partition(":")
    collection = graph.store.get("collections", project=project["id"], name=name)
    return collection and version(graph, collection, alias or LATEST)


def version(graph: Graph, collection: Row, alias: str) -> Row | None:
    query = "SELECT * FROM artifacts WHERE collection = ? AND state = 'COMMITTED' ORDER BY id DESC"
    for row in graph.store.rows(query, collection["id"]):
        if alias == f"v{row['version']}" or alias in json.loads(row["aliases"]) or alias == row["digest"]:
            return row
    return None


# Mutations


def create_type(graph: Graph, input: dict[str, Any]) -> dict[str, Any]:
    project = graph.desk.project(input.get("entityName"), input.get("projectName"))
    _type(graph, project, input["name"], input.get("description"))
    return {"artifactType": {"id": f"ArtifactType:{project['id']}:{input['name']}", "name": input["name"]}}


def _type(graph: Graph, project: Row, name: str, description: str | None = None) -> None:
    with graph.store.transaction():
        if graph.store.get("artifact_types", project=project["id"], name=name) is None:
            graph.store.add("artifact_types", project=project["id"], name=name, description=description)


def create(graph: Graph, input: dict[str, Any]) -> dict[str, Any]:
    """A new version, to be filled; or the one that has the same digest already."""
    store = graph.store
    names = input.get("artifactCollectionNames") or [input.get("artifactCollectionName")]
    if not names or not names[0]:
        raise InputError("An artifact needs the name of a collection.")
    with store.transaction():
        project = graph.desk.project(input.get("entityName"), input.get("projectName"))
        _type(graph, project, input["artifactTypeName"])
        collection = _collection(store, project, names[0], input)
        aliases = [alias["alias"] for alias in input.get("aliases") or [] if alias["alias"] != LATEST]
        same = store.get("artifacts", collection=collection["id"], digest=input.get("digest"), state="COMMITTED")
        run = graph.desk.run(input.get("entityName"), input.get("projectName"), input.get("runName"))
        if same and input.get("digest"):
            _put_out(store, run, same["id"])
            _move_aliases(store, same, [*aliases, LATEST])
            return {"artifact": Artifact(graph, store.get("artifacts", id=same["id"]))}
        last = store.row("SELECT max(version) AS v FROM artifacts WHERE collection = ?", collection["id"])["v"]
        index = 0 if last is None else last + 1
        folder = f"{project['folder']}/artifacts/{folder_name(names[0])}/v{index}"
        now, tags = time.time(), [tag["tagName"] for tag in input.get("tags") or []]
        id = store.add(
            "artifacts", collection=collection["id"], version=index, digest=input.get("digest"), aliases=aliases,
            tags=tags,
            description=input.get("description"), metadata=input.get("metadata"), run=run and run["id"],
            client=input.get("clientID"), step=input.get("historyStep"), folder=store.free_folder("artifacts", folder),
            created=now, updated=now,
        )  # fmt: skip
        _put_out(store, run, id)
    return {"artifact": Artifact(graph, store.get("artifacts", id=id))}


def _put_out(store: Store, run: Row | None, artifact: int) -> None:
    """Note that a run has logged an artifact."""
    if run and store.get("outputs", run=run["id"], artifact=artifact) is None:
        store.add("outputs", run=run["id"], artifact=artifact)


def _collection(store: Store, project: Row, name: str, input: dict[str, Any]) -> Row:
    known = store.get("collections", project=project["id"], name=name)
    if known is None:
        client, kind = input.get("sequenceClientID"), input["artifactTypeName"]
        store.add("collections", project=project["id"], name=name, type=kind, created=time.time(), client=client)
        known = store.get("collections", project=project["id"], name=name)
    if known["type"] != input["artifactTypeName"]:
        raise InputError(f"The artifact {name!r} is of type {known['type']!r}, not {input['artifactTypeName']!r}.")
    return known


def _move_aliases(store: Store, row: Row, aliases: list[str]) -> None:
    """Give the aliases to this version, and take them from the others of its collection."""
    for other in store.rows("SELECT * FROM artifacts WHERE collection = ?", row["collection"]):
        before = json.loads(other["aliases"])
        kept = [alias for alias in before if alias not in aliases]
        if other["id"] == row["id"]:
            kept = [*dict.fromkeys([*before, *aliases])]
        if kept != before:
            store.change("artifacts", {"id": other["id"]}, aliases=kept, updated=time.time())


def create_manifest(graph: Graph, input: dict[str, Any]) -> dict[str, Any]:
    """Of all files, or where it is incremental, of those that are new beside those of a base."""
    row = _known(graph, input["artifactID"])
    if input.get("baseArtifactID") and input.get("type") in ("INCREMENTAL", "PATCH"):
        graph.store.change("artifacts", {"id": row["id"]}, base=number(input["baseArtifactID"]))
    return {"artifactManifest": _manifest(graph, row)}


def update_manifest(graph: Graph, input: dict[str, Any]) -> dict[str, Any]:
    row = _known(graph, input["artifactManifestID"])
    return {"artifactManifest": _manifest(graph, row)}


def _manifest(graph: Graph, row: Row) -> dict[str, Any]:
    upload = {"uploadUrl": graph.links.manifest_upload(row["id"]), "uploadHeaders": []}
    there = graph.links.manifest(row).exists()
    file = {"id": f"ManifestFile:{row['id']}", "name": "wandb_manifest.json", "displayName": "wandb_manifest.json"}
    direct = graph.links.manifest_download(row["id"]) if there else None
    return {"id": f"Manifest:{row['id']}", "digest": row["digest"], "file": file | upload | {"directUrl": direct}}


def create_files(graph: Graph, input: dict[str, Any]) -> dict[str, Any]:
    files = [_file_to_send(graph, spec) for spec in input["artifactFiles"]]
    return {"files": nodes.page(files, uploadHeaders=[])}


def _file_to_send(graph: Graph, spec: dict[str, Any]) -> dict[str, Any]:
    row, name = _known(graph, spec["artifactID"]), spec["name"]
    upload = {"uploadUrl": graph.links.artifact_upload(row["id"], name), "uploadHeaders": []}
    where = {"storagePath": None, "uploadMultipartUrls": None, "artifact": Artifact(graph, row)}
    return {"id": f"ArtifactFile:{row['id']}:{name}", "name": name, "displayName": name} | upload | where


def commit(graph: Graph, input: dict[str, Any]) -> dict[str, Any]:
    store, row = graph.store, _known(graph, input["artifactID"])
    if row["base"]:
        _add_base(graph, row, _known(graph, row["base"]))
    names = _names(graph, row)
    size = sum((graph.desk.root / row["folder"] / name).stat().st_size for name in names)
    with store.transaction():
        facts_ = {"state": "COMMITTED", "files": len(names), "size": size, "updated": time.time()}
        store.change("artifacts", {"id": row["id"]}, **facts_)
        _move_aliases(store, row, [*json.loads(row["aliases"]), LATEST])
    return {"artifact": Artifact(graph, store.get("artifacts", id=row["id"]))}


def _add_base(graph: Graph, row: Row, base: Row) -> None:
    """Make an artifact whole: what of its base it does not have itself."""
    ours, theirs = (read_json(graph.links.manifest(each)) for each in (row, base))
    missing = {name: entry for name, entry in theirs["contents"].items() if name not in ours["contents"]}
    write_json(graph.links.manifest(row), ours | {"contents": missing | ours["contents"]})
    for name in missing:
        source = confined(graph.desk.root / base["folder"], name)
        target = confined(graph.desk.root / row["folder"], name)
        if source.is_file() and not target.exists():
            with atomic(target) as temporary:
                shutil.copyfile(source, temporary)


def _names(graph: Graph, row: Row) -> list[str]:
    folder = graph.desk.root / row["folder"]
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def use(graph: Graph, input: dict[str, Any]) -> dict[str, Any]:
    row = _known(graph, input["artifactID"])
    run = graph.desk.run(input.get("entityName"), input.get("projectName"), input.get("runName"))
    if run:
        with graph.store.transaction():
            if graph.store.get("uses", run=run["id"], artifact=row["id"]) is None:
                graph.store.add("uses", run=run["id"], artifact=row["id"])
    return {"artifact": Artifact(graph, row)}


def update(graph: Graph, input: dict[str, Any]) -> dict[str, Any]:
    store, row = graph.store, _known(graph, input["artifactID"])
    with store.transaction():
        for key in ("description", "metadata"):
            if input.get(key) is not None:
                store.change("artifacts", {"id": row["id"]}, **{key: input[key]}, updated=time.time())
        tags = [*json.loads(row["tags"]), *(tag["tagName"] for tag in input.get("tagsToAdd") or [])]
        gone = {tag["tagName"] for tag in input.get("tagsToDelete") or []}
        store.change("artifacts", {"id": row["id"]}, tags=[*dict.fromkeys(tag for tag in tags if tag not in gone)])
        if input.get("aliases") is not None:
            store.change("artifacts", {"id": row["id"]}, aliases=[])
            _move_aliases(store, store.get("artifacts", id=row["id"]), [alias["alias"] for alias in input["aliases"]])
    return {"artifact": Artifact(graph, store.get("artifacts", id=row["id"]))}


def delete(graph: Graph, input: dict[str, Any]) -> dict[str, Any]:
    row = _known(graph, input["artifactID"])
    named = json.loads(row["aliases"])
    if named and not input.get("deleteAliases"):
        raise InputError(f"The artifact has the aliases {', '.join(named)}; delete it with delete_aliases=True.")
    with graph.store.transaction():
        graph.store.remove("artifacts", id=row["id"])
        graph.store.remove("uses", artifact=row["id"])
        graph.store.remove("outputs", artifact=row["id"])
    graph.links.manifest(row).unlink(missing_ok=True)
    shutil.rmtree(graph.desk.root / row["folder"], ignore_errors=True)
    return {"artifact": {"id": id_of(row)}}


def change_aliases(graph: Graph, input: dict[str, Any], add: bool) -> dict[str, Any]:
    row = _known(graph, input["artifactID"])
    aliases = [alias["alias"] for alias in input["aliases"]]
    with graph.store.transaction():
        if add:
            _move_aliases(graph.store, row, aliases)
        else:
            kept = [alias for alias in json.loads(row["aliases"]) if alias not in aliases]
            graph.store.change("artifacts", {"id": row["id"]}, aliases=kept)
    return {"success": True}


# Nodes


class Artifact:
    ttl_duration_seconds, ttl_is_inherited, digest_algorithm = -2, True, "MANIFEST_MD5"

    def __init__(self, graph: Graph, row: Row):
        self.graph, self.row, self.id = graph, row, id_of(row)
        self.version_index, self.description, self.metadata = row["version"], row["description"], row["metadata"]
        self.history_step, self.state, self.size, self.digest = row["step"], row["state"], row["size"], row["digest"]
        self.file_count, self.commit_hash = row["files"], f"{row['id']:020x}"
        self.created_at, self.updated_at = nodes.moment(row["created"]), nodes.moment(row["updated"])

    @cached_property
    def collection(self) -> Row:
        return self.graph.store.get("collections", id=self.row["collection"])

    def artifact_sequence(self) -> Collection:
        return Collection(self.graph, self.collection)

    def artifact_type(self) -> dict[str, Any]:
        return {"id": f"ArtifactType:{self.collection['type']}", "name": self.collection["type"]}

    def tags(self) -> list[dict[str, Any]]:
        return [{"id": f"Tag:{tag}", "name": tag} for tag in json.loads(self.row["tags"])]

    def aliases(self) -> list[dict[str, Any]]:
        names = [f"v{self.version_index}", *json.loads(self.row["aliases"])]
        return [_alias(self.graph, self.collection, name) for name in names]

    def current_manifest(self) -> dict[str, Any]:
        return _manifest(self.graph, self.row)

    def files(self, names: Sequence[str] | None = None, after: Words = None, first: Number = None) -> dict[str, Any]:
        listed = [name for name in _names(self.graph, self.row) if not names or name in names]
        return nodes.page([ArtifactFile(self.graph, self.row, name) for name in listed], after, first)

    def created_by(self) -> nodes.Run | None:
        run = self.row["run"] and self.graph.store.get("runs", id=self.row["run"])
        return run and nodes.Run(self.graph, run)

    def used_by(self) -> dict[str, Any]:
        query = "SELECT runs.* FROM runs JOIN uses ON uses.run = runs.id WHERE uses.artifact = ?"
        return nodes.page([nodes.Run(self.graph, row) for row in self.graph.store.rows(query, self.row["id"])])

    def artifact_memberships(self) -> dict[str, Any]:
        return nodes.page([Membership(self.graph, self.row)])


def _alias(graph: Graph, collection: Row, name: str) -> dict[str, Any]:
    where = {"artifactCollection": Collection(graph, collection), "artifactCollectionName": collection["name"]}
    return {"id": f"Alias:{collection['id']}:{name}", "alias": name} | where


class ArtifactFile(nodes.Stored):
    upload_headers = ()

    def __init__(self, graph: Graph, row: Row, name: str):
        self.graph, self.row, self.name, self.display_name = graph, row, name, name
        self.id, self.storage_path = f"ArtifactFile:{row['id']}:{name}", name

    @cached_property
    def facts(self) -> dict[str, Any]:
        return facts(self.graph.desk.root / self.row["folder"] / PurePosixPath(self.name))

    def direct_url(self) -> str:
        return self.graph.links.artifact_download(self.row["id"], self.name)

    def url(self, upload: bool | None = None) -> str:
        return self.direct_url()


class Collection:
    description = None

    def __init__(self, graph: Graph, row: Row):
        self.graph, self.row, self.name = graph, row, row["name"]
        self.id = f"ArtifactSequence:{row['id']}"
        self.created_at = self.updated_at = nodes.moment(row["created"])

    def project(self) -> nodes.Project:
        return nodes.Project(self.graph, self.graph.store.get("projects", id=self.row["project"]))

    def default_artifact_type(self) -> dict[str, Any]:
        return {"id": f"ArtifactType:{self.row['type']}", "name": self.row["type"]}

    def tags(self) -> dict[str, Any]:
        return {"edges": []}

    def _versions(self) -> list[Row]:
        query = "SELECT * FROM artifacts WHERE collection = ? AND state = 'COMMITTED' ORDER BY version DESC"
        return self.graph.store.rows(query, self.row["id"])

    def aliases(self, after: Words = None, first: Number = None) -> dict[str, Any]:
        names = [name for row in self._versions() for name in json.loads(row["aliases"])]
        return nodes.page([_alias(self.graph, self.row, name) for name in names], after, first)

    def artifact_membership(self, alias_name: str) -> Membership | None:
        row = version(self.graph, self.row, alias_name)
        return Membership(self.graph, row) if row else None

    def artifacts(
        self, after: Words = None, first: Number = None, filters: Words = None, order: Words = None
    ) -> dict[str, Any]:
        versions = self._versions()
        if (order or "").lstrip("+") in ("version_index", "versionIndex", "created_at", "createdAt"):
            versions = versions[::-1]
        return nodes.page([Artifact(self.graph, row) for row in versions], after, first)

    def latest_artifact(self) -> Artifact | None:
        row = version(self.graph, self.row, LATEST)
        return Artifact(self.graph, row) if row else None


class Membership:
    def __init__(self, graph: Graph, row: Row):
        self.graph, self.row, self.id = graph, row, f"Membership:{row['id']}"
        self.artifact = Artifact(graph, row)
        self.version_index, self.created_at = row["version"], nodes.moment(row["created"])

    def aliases(self) -> list[dict[str, Any]]:
        return self.artifact.aliases()

    def artifact_collection(self) -> Collection:
        return self.artifact.artifact_sequence()

    def files(self, names: Sequence[str] | None = None, after: Words = None, first: Number = None) -> dict[str, Any]:
        return self.artifact.files(names, after, first)


class Type:
    def __init__(self, graph: Graph, project: Row, row: Row):
        self.graph, self.project, self.name, self.description = graph, project, row["name"], row["description"]
        self.id, self.created_at = f"ArtifactType:{project['id']}:{row['name']}", nodes.moment(project["created"])

    def artifact_collection(self, name: str) -> Collection | None:
        row = self.graph.store.get("collections", project=self.project["id"], name=name, type=self.name)
        return row and Collection(self.graph, row)

    def artifact_collections(
        self, after: Words = None, first: Number = None, filters: Words = None, order: Words = None
    ) -> dict[str, Any]:
        query = "SELECT * FROM collections WHERE project = ? AND type = ? ORDER BY id"
        rows = self.graph.store.rows(query, self.project["id"], self.name)
        return nodes.page([Collection(self.graph, row) for row in rows], after, first)


def type_named(graph: Graph, project: Row, name: str) -> Type | None:
    row = graph.store.get("artifact_types", project=project["id"], name=name)
    return row and Type(graph, project, row)
