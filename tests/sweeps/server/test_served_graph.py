"""GraphQL as clients ask it: their own selections, their questions about the schema, and nonsense."""

import json

import pytest

from muslin.sweeps.server.graph import Graph, answer
from muslin.sweeps.server.links import Links

UPSERT = """mutation U($name: String, $config: JSONString, $summary: JSONString) {
  upsertBucket(input: {name: $name, modelName: "p", config: $config, summaryMetrics: $summary}) {
    bucket { id name displayName project { name entity { name } } } inserted } }"""
RESUME = """query R($n: String!) { model(name: "p") { bucket(name: $n, missingOk: true) {
  name historyLineCount logLineCount eventsLineCount historyTail eventsTail summaryMetrics config
  wandbConfig(keys: ["t"]) } } }"""


def errors(door, query, **variables):
    graph = Graph(door.desk, "http://server", Links(door.desk, "http://server", b"secret"))
    return [error["message"] for error in answer(graph, query, variables).get("errors", [])]


def test_a_field_that_is_not_there_is_null(door):
    found = door.ask("{ viewer { entity shoeSize friends { name } } alias: moonPhase }")
    assert found == {"viewer": {"entity": "local", "shoeSize": None, "friends": None}, "alias": None}


def test_a_mutation_that_is_not_there_is_an_error_and_not_null(door):
    assert errors(door, "mutation { flyToTheMoon(input: {}) { success } }") == ["This server has no flyToTheMoon."]


def test_variables_that_are_not_declared_or_known_are_let_be(door):
    found = door.ask(UPSERT, name="r", display_name="undeclared", config="{}")
    assert found["upsertBucket"]["bucket"]["name"] == "r"
    query = "mutation($input: CreateRunFilesInput!) { createRunFiles(input: $input) { files { name } } }"
    given = {"projectName": "p", "runName": "r", "files": ["a"], "surprise": 1}
    assert door.ask(query, input=given)["createRunFiles"]["files"] == [{"name": "a"}]


@pytest.mark.parametrize(
    ("kind", "field"),
    [("Mutation", "createRunFiles"), ("Artifact", "aliases"), ("Run", "projectId"), ("ServerInfo", "features")],
)
def test_questions_about_the_schema(door, kind, field):
    found = door.ask("query($n: String!) { __type(name: $n) { fields { name args { name } } } }", n=kind)
    assert field in {f["name"] for f in found["__type"]["fields"]}


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("{ viewer {", "Syntax"),
        ('query { ...A } fragment A on Query { project(name: "p") { ...B } } fragment B on Project { ...B }', "itself"),
        ('{ project(name: "p") ' + "{ runs { edges { node { project " * 20 + "{ id }" + "} } } }" * 20 + " }", "deep"),
        ("{ a b }" * 20_000, "tokens"),
        ('mutation { stopRun(input: {id: "Run:77"}) { success } }', "no run with the id"),
        ('mutation { upsertBucket(input: {name: "r", config: "[1]"}) { inserted } }', "JSON object"),
    ],
)
def test_nonsense_is_an_error(door, query, word):
    (message, *_) = errors(door, query)
    assert word in message


def test_what_resume_needs(door):
    assert door.ask(RESUME, n="r")["model"]["bucket"] is None
    config = {"lr": {"value": 1}, "_wandb": {"value": {"t": {"1": 2}}}}
    door.ask(UPSERT, name="r", config=json.dumps(config), summary='{"loss": NaN}')
    door.log("r", 0, 3.0, 2.0)
    found = door.ask(RESUME, n="r")["model"]["bucket"]
    assert (found["historyLineCount"], found["logLineCount"], found["eventsLineCount"]) == (2, 0, 0)
    (last,) = json.loads(found["historyTail"])
    assert json.loads(last) == {"loss": 2.0, "_step": 1}
    assert json.loads(found["wandbConfig"]) == {"t": {"1": 2}}
    assert json.loads(found["summaryMetrics"]) == {"loss": "NaN"}


def test_fields_that_are_null_stay_as_they_are(door):
    query = """mutation U($name: String, $d: String, $t: [String!]) {
      upsertBucket(input: {name: $name, modelName: "p", displayName: $d, tags: $t}) { bucket { displayName tags } } }"""
    door.ask(query, name="r", d="named", t=["x"])
    found = door.ask(query, name="r", d=None, t=None)["upsertBucket"]["bucket"]
    assert found == {"displayName": "named", "tags": ["x"]}


def test_history_is_read_back_in_every_way(door):
    door.ask(UPSERT, name="r", config="{}")
    door.log("r", 0, *[float(n) for n in range(10)])
    query = """query($spec: JSONString!) { project(name: "p") { run(name: "r") {
      history(minStep: 2, maxStep: 5, samples: 100) sampledHistory(specs: [$spec]) historyKeys historyLineCount } } }"""
    spec = json.dumps({"keys": ["loss"], "samples": 4})
    found = door.ask(query, spec=spec)["project"]["run"]
    assert [json.loads(row)["loss"] for row in found["history"]] == [2.0, 3.0, 4.0]
    assert found["sampledHistory"] == [[{"loss": value} for value in (0.0, 3.0, 6.0, 9.0)]]
    assert found["historyKeys"]["lastStep"] == 9
    assert found["historyKeys"]["keys"]["loss"]["typeCounts"] == [{"type": "number", "count": 10}]


def test_runs_by_filter_order_and_page(door):
    for n, loss in enumerate((3, 1, 2)):
        door.ask(UPSERT, name=f"r{n}", config=json.dumps({"lr": {"value": n}}), summary=json.dumps({"loss": loss}))
    query = """query($f: JSONString, $o: String, $n: Int, $c: String) { project(name: "p") { runCount(filters: $f)
      runs(filters: $f, order: $o, first: $n, after: $c) {
        edges { node { name } } pageInfo { hasNextPage endCursor } } } }"""

    def names(**variables):
        found = door.ask(query, **variables)["project"]["runs"]
        return [edge["node"]["name"] for edge in found["edges"]], found["pageInfo"]

    assert names(o="+summary_metrics.loss")[0] == ["r1", "r2", "r0"]
    assert names(f='{"config.lr.value": {"$gt": 0}}', o="+created_at")[0] == ["r1", "r2"]
    first, info = names(o="+created_at", n=2)
    assert (first, info) == (["r0", "r1"], {"hasNextPage": True, "endCursor": "2"})
    assert names(o="+created_at", n=2, c="2") == (["r2"], {"hasNextPage": False, "endCursor": "3"})


def test_an_artifact_from_its_creation_to_its_aliases(door):
    create = """mutation($i: CreateArtifactInput!) { createArtifact(input: $i) { ...X } }
      fragment X on CreateArtifactPayload { artifact { id state artifactSequence { latestArtifact { id } } } }"""
    given = {"artifactTypeName": "model", "artifactCollectionName": "m", "projectName": "p", "digest": "d1"}
    made = door.ask(create, i=given | {"aliases": [{"artifactCollectionName": "m", "alias": "best"}]})
    artifact = made["createArtifact"]["artifact"]
    assert artifact["state"] == "PENDING"
    door.ask(
        "mutation($a: ID!) { commitArtifact(input: {artifactID: $a}) { artifact { id digest } } }", a=artifact["id"]
    )
    again = door.ask(create, i=given)["createArtifact"]["artifact"]
    assert (again["id"], again["state"]) == (artifact["id"], "COMMITTED")
    find = """query($n: String!) { project(name: "p") { artifactCollectionMembership(name: $n) {
      versionIndex artifactCollection { __typename name } aliases { alias } } } }"""
    for name in ("m:latest", "m:best", "m:v0", "m"):
        found = door.ask(find, n=name)["project"]["artifactCollectionMembership"]
        assert (found["versionIndex"], found["artifactCollection"]["__typename"]) == (0, "ArtifactSequence")
        assert [alias["alias"] for alias in found["aliases"]] == ["v0", "best", "latest"]
    assert door.ask(find, n="m:none")["project"]["artifactCollectionMembership"] is None
