"""The manifests for Kubernetes: fields that there are, and commands and settings that inkstream has.

``Manifest`` and what belongs to it say what of Kubernetes and of KubeRay v1.7.0 (ray.io/v1) is used here, and refuse
everything else. Who has the operator's own definition names it: ``INKSTREAM_KUBERAY_CRD=ray.io_rayclusters.yaml``.
"""

import importlib.util
import os
import re
import shlex
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from test_pages import unknown_of

from inkstream.stream.app.cluster.config import ClusterConfig
from inkstream.stream.base import safeyaml
from inkstream.stream.base.configfile import build

FILES = Path(__file__).parent.parent / "examples" / "cluster"
Name = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]
Quantity = Annotated[str, Field(pattern=r"^\d+(\.\d+)?(m|Ki|Mi|Gi|Ti|k|M|G|T)?$")]
Port = Annotated[int, Field(ge=1, le=65535, strict=True)]
Count = Annotated[int, Field(ge=0, strict=True)]
Text = Annotated[str, Field(strict=True)]  # a number without quotes is none


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Meta(Strict):
    name: Name = "pod"
    annotations: dict[str, Text] = {}


class Env(Strict):
    name: str
    value: Text


class ContainerPort(Strict):
    name: Name
    containerPort: Port


class HttpGet(Strict):
    path: Annotated[str, Field(pattern="^/")]
    port: Port


class Probe(Strict):
    httpGet: HttpGet
    periodSeconds: Count = 10
    failureThreshold: Count = 3


class Resources(Strict):
    requests: dict[str, Quantity]
    limits: dict[str, Quantity] = {}


class Mount(Strict):
    name: Name
    mountPath: Annotated[str, Field(pattern="^/")]
    readOnly: bool = False


class Container(Strict):
    name: Name
    image: str
    command: list[Text] = []
    args: list[Text] = []
    env: list[Env] = []
    ports: list[ContainerPort] = []
    readinessProbe: Probe | None = None
    livenessProbe: Probe | None = None
    resources: Resources
    volumeMounts: list[Mount] = []


class ConfigMapSource(Strict):
    name: Name


class ClaimSource(Strict):
    claimName: Name


class Volume(Strict):
    name: Name
    configMap: ConfigMapSource | None = None
    persistentVolumeClaim: ClaimSource | None = None


class PodSpec(Strict):
    containers: Annotated[list[Container], Field(min_length=1)]
    volumes: list[Volume] = []


class Template(Strict):
    metadata: Meta = Meta()
    spec: PodSpec


class Group(Strict):
    rayStartParams: dict[str, Text] = {}
    template: Template


class WorkerGroup(Group):
    groupName: Name
    replicas: Count = 0
    minReplicas: Count
    maxReplicas: Count


class AuthOptions(Strict):
    mode: Literal["disabled", "token"]


class AutoscalerOptions(Strict):
    version: Literal["v1", "v2"]
    upscalingMode: Literal["Default", "Aggressive", "Conservative"]
    idleTimeoutSeconds: Count


class RaySpec(Strict):
    rayVersion: Text
    authOptions: AuthOptions
    enableInTreeAutoscaling: bool
    autoscalerOptions: AutoscalerOptions
    headGroupSpec: Group
    workerGroupSpecs: list[WorkerGroup]


class RayCluster(Strict):
    apiVersion: Literal["ray.io/v1"]
    kind: Literal["RayCluster"]
    metadata: Meta
    spec: RaySpec


class ConfigMap(Strict):
    apiVersion: Literal["v1"]
    kind: Literal["ConfigMap"]
    metadata: Meta
    data: dict[str, Text]


class ClaimSpec(Strict):
    accessModes: list[Literal["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"]]
    resources: Resources


class Claim(Strict):
    apiVersion: Literal["v1"]
    kind: Literal["PersistentVolumeClaim"]
    metadata: Meta
    spec: ClaimSpec


class ServicePort(Strict):
    name: Name
    port: Port
    targetPort: Port


class ServiceSpec(Strict):
    selector: dict[str, Text]
    ports: list[ServicePort]


class Service(Strict):
    apiVersion: Literal["v1"]
    kind: Literal["Service"]
    metadata: Meta
    spec: ServiceSpec


Manifest = TypeAdapter(Annotated[RayCluster | ConfigMap | Claim | Service, Field(discriminator="kind")])


def documents():
    return list(yaml.safe_load_all((FILES / "kuberay.yaml").read_text("utf-8")))


@pytest.fixture(scope="module")
def found():
    return {each.kind: each for each in map(Manifest.validate_python, documents())}


def test_a_field_that_there_is_not_is_found():
    cluster: Any = documents()[-1]
    cluster["spec"]["workerGroupSpecs"][0]["maxReplica"] = 3
    with pytest.raises(ValidationError, match="maxReplica"):
        Manifest.validate_python(cluster)
    cluster = documents()[-1]
    cluster["spec"]["headGroupSpec"]["rayStartParams"]["num-cpus"] = 0  # the operator wants texts
    with pytest.raises(ValidationError, match="num-cpus"):
        Manifest.validate_python(cluster)


def test_parts_know_each_other(found):
    spec, name = found["RayCluster"].spec, found["RayCluster"].metadata.name
    plan = build(safeyaml.read(found["ConfigMap"].data["cluster.yaml"], "cluster.yaml"), ClusterConfig)
    assert plan.address == f"{name}-head-svc:6379"  # as the operator calls the head's service
    groups = {group.groupName: group for group in spec.workerGroupSpecs}
    gpu = groups["gpu"].template.spec.containers[0].resources.limits
    assert int(gpu["nvidia.com/gpu"]) == plan.gpus and int(gpu["cpu"]) >= plan.cores
    assert groups["gpu"].maxReplicas >= plan.workers
    assert found["Service"].spec.selector == {"ray.io/cluster": name, "ray.io/group": "gateway"}
    gateway = groups["gateway"].template
    assert gateway.metadata.annotations == {"ray.io/overwrite-container-cmd": "true"}
    assert found["Service"].spec.ports[0].targetPort == gateway.spec.containers[0].ports[0].containerPort
    for group in groups.values():
        assert group.minReplicas <= group.replicas <= group.maxReplicas
        named = {volume.name for volume in group.template.spec.volumes}
        assert {mount.name for each in group.template.spec.containers for mount in each.volumeMounts} <= named
    assert spec.headGroupSpec.rayStartParams["dashboard-host"] == "127.0.0.1"
    assert spec.authOptions.mode == "token"
    image = (FILES / "Dockerfile").read_text("utf-8")
    assert f"rayproject/ray:{spec.rayVersion}-" in image and f"ray=={spec.rayVersion}" in (
        FILES.parent.parent / "constraints.txt"
    ).read_text("utf-8")


def test_its_command_line_is_one_that_there_is(found):
    gateway = found["RayCluster"].spec.workerGroupSpecs[0].template.spec.containers[0]
    line = gateway.args[0]
    words = shlex.split(re.search(r"exec inkstream (.*)", line)[1])
    assert unknown_of(words) == [] and words[words.index("--port") + 1] == "7860"
    folder = next(mount.mountPath for mount in gateway.volumeMounts if mount.name == "config")
    assert words[words.index("--config") + 1] == f"{folder}/cluster.yaml"


def closed(schema):
    """A definition of the operator's, in which fields that it does not name are refused."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: closed(value) for key, value in schema.items()}
    if isinstance(made.get("properties"), dict) and made.get("type") == "object":
        made.setdefault("additionalProperties", bool(made.get("x-kubernetes-preserve-unknown-fields")))
    if made.pop("x-kubernetes-int-or-string", False):
        made.pop("type", None)
    return made


@pytest.mark.skipif("INKSTREAM_KUBERAY_CRD" not in os.environ, reason="INKSTREAM_KUBERAY_CRD names no definition")
def test_the_operators_own_definition_takes_it():
    if importlib.util.find_spec("jsonschema") is None:
        pytest.skip("needs jsonschema")
    import jsonschema

    definition = yaml.load(Path(os.environ["INKSTREAM_KUBERAY_CRD"]).read_text("utf-8"), yaml.CSafeLoader)
    versions = {each["name"]: each["schema"]["openAPIV3Schema"] for each in definition["spec"]["versions"]}
    cluster = next(each for each in documents() if each["kind"] == "RayCluster")
    own = versions["v1"]
    own["properties"]["metadata"] = {"type": "object"}  # Kubernetes' own
    jsonschema.validate(cluster, closed(own))
