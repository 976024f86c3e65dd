"""Beam's own options reach it as they were given, and nothing else does."""

from __future__ import annotations

import argparse
import copy
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from apache_beam.options.pipeline_options import (
    DebugOptions,
    DirectOptions,
    GoogleCloudOptions,
    PipelineOptions,
    _BeamArgumentParser,
)
from apache_beam.options.value_provider import ValueProvider
from apache_beam.portability.api import beam_job_api_pb2, beam_job_api_pb2_grpc
from apache_beam.runners.portability.portable_runner import JobServiceHandle
from hypothesis import given
from hypothesis import strategies as st

from pipeline.beam.options import beam_options
from pipeline.errors.problems import ConfigError
from tests.pipeline.tables import law


def actions() -> list[argparse.Action]:
    """The options of all classes that Beam knows, as its parser has them."""
    parser = _BeamArgumentParser(allow_abbrev=False, add_help=False)
    for options in PipelineOptions.__subclasses__():
        options._add_argparse_args(parser)
    return [action for action in parser._actions if action.option_strings]


ACTIONS = actions()
# A value that begins with a dash needs the form with `=`; Beam's parser has that from argparse.
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=12)
WORDS = st.from_regex(r"[a-zA-Z0-9_./:,=*{}?\[\] -]{0,12}", fullmatch=True) | TEXTS
JSONS = st.dictionaries(
    st.from_regex(r"[a-z]{1,8}", fullmatch=True),
    st.integers() | WORDS | st.booleans() | st.lists(WORDS, max_size=2),
    max_size=3,
).map(json.dumps)
# What an option takes is more than its type says where it parses the text itself.
OF_THEIR_OWN = {
    "--sdk_harness_log_level_overrides": JSONS,
    "--gcs_custom_audit_entries": JSONS.filter(lambda text: len(json.loads(text)) < 3),
    "--direct_running_mode": st.sampled_from(["in_memory", "multi_processing"]),
}


def takes_value(action: argparse.Action) -> bool:
    return action.nargs != 0


def accepts(action: argparse.Action, text: str) -> bool:
    if action.type is None:
        return True
    assert callable(action.type)
    try:
        action.type(text)
    except (ValueError, TypeError, argparse.ArgumentTypeError):
        return False
    return True


def values(action: argparse.Action, name: str) -> st.SearchStrategy[str]:
    if name in OF_THEIR_OWN:
        return OF_THEIR_OWN[name]
    if action.choices:
        return st.sampled_from([str(choice) for choice in action.choices])
    if action.type in (int, float):
        return st.integers(0, 10**6).map(str)
    candidates = st.one_of(WORDS, JSONS, st.integers().map(str), st.sampled_from(["true", "1.5"]))
    return candidates.filter(lambda text: accepts(action, text))


@st.composite
def option(draw: st.DrawFn, name: str | None = None) -> list[str]:
    """One option as it stands on a command line, as one argument or as two."""
    action = draw(st.sampled_from([a for a in ACTIONS if name in (None, *a.option_strings)]))
    spelled = draw(st.sampled_from([o for o in action.option_strings if o.startswith("--")]))
    if not takes_value(action):
        return [spelled]
    value = draw(values(action, spelled))
    if draw(st.booleans()) and value and not value.startswith("-"):
        return [spelled, value]
    return [f"{spelled}={value}"]


def lists(strategy: st.SearchStrategy[list[str]]) -> st.SearchStrategy[list[str]]:
    return st.lists(strategy, max_size=6).map(
        lambda options: [text for words in options for text in words]
    )


def plain(value: object) -> object:
    """Options given at run time compare by identity; what they are of tells them apart."""
    return str(value) if isinstance(value, ValueProvider) else value


def as_given(arguments: list[str]) -> dict[str, object]:
    found = PipelineOptions(arguments).get_all_options()
    return {name: plain(value) for name, value in found.items()}


def as_checked(arguments: list[str]) -> dict[str, object]:
    found = beam_options(arguments).get_all_options()
    return {name: plain(value) for name, value in found.items()}


def same_but_for_the_runner(arguments: list[str]) -> None:
    given, checked = as_given(arguments), as_checked(arguments)
    if given["runner"] is None:
        given["runner"] = "FnApiRunner"
    assert checked == given


@law
@given(lists(option()))
def test_options_reach_beam_unchanged(arguments: list[str]) -> None:
    same_but_for_the_runner(arguments)


@pytest.mark.parametrize(
    "name", sorted({text for action in ACTIONS for text in action.option_strings})
)
def test_no_option_of_beam_is_refused(name: str) -> None:
    action = next(action for action in ACTIONS if name in action.option_strings)
    if not takes_value(action):
        arguments = [name]
    elif name in OF_THEIR_OWN:
        arguments = [name, "in_memory" if action.choices else '{"user": "me"}']
    elif action.choices:
        arguments = [name, str(next(iter(action.choices)))]
    else:
        value = next(text for text in ("true", "7", "{}", "a,b", "a") if accepts(action, text))
        arguments = [f"{name}={value}"]
    same_but_for_the_runner(arguments)


@law
@given(lists(option("--experiments") | option("--experiment") | option("--labels")))
def test_repeated_options_keep_their_order(arguments: list[str]) -> None:
    same_but_for_the_runner(arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--experiments=a", "--experiments", "b=1", "--experiments=c,d"],
        ["--no_use_public_ips", "--num_workers=3"],
        ["--environment_type=PROCESS", '--environment_config={"command": "/opt/boot a=b", "n": 1}'],
        ["--environment_config", '{"command": "boot"}'],
        ["--runner", "DataflowRunner", "--region=here", "--dataflow_service_options=a=b"],
        ["--runner=FlinkRunner", "--flink_master=host:8081", "--parallelism=4"],
        ["--extra_package=a.whl", "--extra_package=b.tar.gz", "--no_save_main_session"],
    ],
)
def test_options_of_a_cluster_reach_beam_unchanged(arguments: list[str]) -> None:
    same_but_for_the_runner(arguments)


# A job server is asked for what it knows of a misspelt option; there is none, and waiting is long.
OF_NO_SERVER = option().filter(lambda given: not given[0].startswith("--job_endpoint"))


@law
@given(lists(OF_NO_SERVER), st.sampled_from(ACTIONS), st.integers(0, 60), st.sampled_from("xq9"))
def test_misspelt_options_are_refused(
    arguments: list[str], action: argparse.Action, place: int, letter: str
) -> None:
    (right, *_) = [text for text in action.option_strings if text.startswith("--")]
    place = 2 + place % (len(right) - 1)
    wrong = right[:place] + letter + right[place:]
    with pytest.raises(ConfigError) as error:
        beam_options([*arguments, f"{wrong}=1"])
    (problem,) = error.value.problems
    assert problem.message.startswith(f"unknown argument {wrong}=1; did you mean --")


def test_options_are_not_abbreviated() -> None:
    with pytest.raises(ConfigError, match="unknown argument --direct_num_work=2; did you mean"):
        beam_options(["--direct_num_work=2"])


def test_stray_words_are_refused() -> None:
    with pytest.raises(ConfigError, match="unknown argument out"):
        beam_options(["--direct_num_workers", "2", "out"])


@pytest.mark.parametrize(
    "argument", ["--direct_num_workers=two", "--direct_running_mode=both", "--num_workers"]
)
def test_wrong_values_are_refused(argument: str) -> None:
    with pytest.raises(ConfigError, match=argument.partition("=")[0]):
        beam_options([argument])


def test_options_given_are_not_changed() -> None:
    arguments = ["--experiments=a", "--parallelism", "4"]
    beam_options(arguments)
    assert arguments == ["--experiments=a", "--parallelism", "4"]


@pytest.mark.parametrize(
    "argument",
    [
        "--sdk_harness_log_level_overrides=true",
        "--gcs_custom_audit_entries=x",
        "--gcs_custom_audit_entries=3",
    ],
)
def test_values_that_beam_parses_late_are_refused(argument: str) -> None:
    with pytest.raises(ConfigError):
        beam_options([argument])


KINDS = beam_job_api_pb2.PipelineOptionType
SERVED = {
    "checkpointing_interval": KINDS.INTEGER,
    "object_reuse": KINDS.BOOLEAN,
    "files": KINDS.ARRAY,
    "parallelism": KINDS.INTEGER,
}


def describe(server: object, request: object, context: object) -> object:
    return beam_job_api_pb2.DescribePipelineOptionsResponse(
        options=[
            beam_job_api_pb2.PipelineOptionDescriptor(name=name, type=kind)
            for name, kind in SERVED.items()
        ]
    )


class JobServer(beam_job_api_pb2_grpc.JobServiceServicer):
    """Knows options of a runner that is not of Python."""

    DescribePipelineOptions = describe


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = grpc.server(ThreadPoolExecutor(2))
    beam_job_api_pb2_grpc.add_JobServiceServicer_to_server(JobServer(), server)
    port = server.add_insecure_port("localhost:0")
    server.start()
    yield f"localhost:{port}"
    server.stop(None).wait()


OF_THE_SERVER = ["--checkpointing_interval=1000", "--object_reuse", "--files=a", "--files=b"]


def test_options_of_a_job_server_reach_it(endpoint: str) -> None:
    where = [f"--job_endpoint={endpoint}", "--runner=PortableRunner", "--parallelism=3"]
    options = beam_options([*where, *OF_THE_SERVER])
    with grpc.insecure_channel(endpoint) as channel:
        jobs = beam_job_api_pb2_grpc.JobServiceStub(channel)
        sent = JobServiceHandle(jobs, options).get_pipeline_options()
    assert sent["beam:option:checkpointing_interval:v1"] == "1000"
    assert sent["beam:option:object_reuse:v1"] is True
    assert list(sent["beam:option:files:v1"]) == ["a", "b"]
    assert sent["beam:option:parallelism:v1"] == "3"


def test_misspelt_options_of_a_job_server_are_refused(endpoint: str) -> None:
    with pytest.raises(ConfigError, match="did you mean --checkpointing_interval"):
        beam_options([f"--job_endpoint={endpoint}", "--checkpoint_interval=1"])


def test_options_of_a_job_server_need_one() -> None:
    with pytest.raises(ConfigError, match="unknown argument --checkpointing_interval"):
        beam_options(OF_THE_SERVER[:1])
    with pytest.raises(ConfigError, match="no job server answered at localhost:1 within 1 s"):
        beam_options(["--job_endpoint=localhost:1", "--job_server_timeout=1", *OF_THE_SERVER])


def test_a_view_is_made_once_and_shows_the_values_of_now() -> None:
    options = beam_options(["--direct_num_workers=3", "--experiments=a"])
    view = options.view_as(DirectOptions)
    assert options.view_as(DirectOptions) is view
    view.direct_num_workers = 5
    assert options.view_as(DirectOptions).direct_num_workers == 5
    assert options.get_all_options()["direct_num_workers"] == 5
    # Views of a copy are its own, as those of what goes to workers are, which have no credentials.
    options.view_as(GoogleCloudOptions).impersonate_service_account = "someone"
    other = copy.deepcopy(options)
    other.view_as(DirectOptions).direct_num_workers = 7
    numbers = [given.get_all_options()["direct_num_workers"] for given in (options, other)]
    assert numbers == [5, 7]
    assert other.view_as(GoogleCloudOptions).impersonate_service_account is None
    assert other.view_as(DebugOptions).experiments == ["a"]
    assert options.view_as(GoogleCloudOptions).impersonate_service_account == "someone"
