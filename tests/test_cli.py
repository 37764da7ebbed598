"""The command: its options and variables, what it refuses, and what it prints."""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path

import click
import pytest
import trustme
from click.testing import CliRunner, Result
from mcp import Client
from mcp.client.stdio import stdio_client

from lambda_warden import cli
from lambda_warden.cli import main
from lambda_warden.commands.manifests import warn_of_manifests_in
from lambda_warden.manifests.json_schema import manifest_json_schema
from lambda_warden.settings import TOPICS, Settings, state_file
from support.scripted_endpoint import ScriptedEndpoint, scripted_endpoint
from support.terminal import in_terminal
from support.warden import allow, stdio, structured, write_manifest


def run(*arguments: str, env: Mapping[str, str] | None = None) -> Result:
    return CliRunner().invoke(main, arguments, env=env)


def _commands(command: click.Command, *path: str) -> Iterator[tuple[str, ...]]:
    yield path
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from _commands(found, *path, name)


@pytest.mark.parametrize("path", list(_commands(main)), ids=" ".join)
def test_help_lists_each_command_at_80_columns_with_a_whole_sentence(path: tuple[str, ...]) -> None:
    result = run(*path, "--help", env={"COLUMNS": "80"})
    assert result.exit_code == 0
    listed = result.stdout.partition("\nCommands:\n")[2]
    assert [line for line in listed.splitlines() if not line.endswith(".") or line.endswith("...")] == []


@pytest.mark.parametrize(
    ("variables", "coloured"),
    [
        ({"TERM": "xterm", "NO_COLOR": ""}, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False),
        ({"TERM": "dumb", "NO_COLOR": ""}, False),
    ],
)
def test_a_terminal_gets_colours_unless_it_wants_none(
    variables: Mapping[str, str], coloured: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    ended = in_terminal(tmp_path, ["check", str(write_manifest(tmp_path, "http://127.0.0.1:9", [allow("f")]))])
    assert ended.code == 0
    assert ("\x1b[" in ended.shown) is coloured


@pytest.mark.parametrize("command", [["check"], ["serve", "--manifest"]])
def test_a_bad_manifest_is_named_with_its_line_and_nothing_starts(command: list[str], tmp_path: Path) -> None:
    path = write_manifest(tmp_path, "http://127.0.0.1:9", [allow("f", "live", colour="red")])
    result = run(*command, str(path))
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith(f"{path}:")
    assert "unknown key 'colour'" in result.stderr
    assert "Traceback" not in result.output


def test_a_missing_manifest_is_named(tmp_path: Path) -> None:
    result = run("check", str(tmp_path / "none.yaml"))
    assert result.exit_code == 1
    assert "none.yaml: No such file" in result.stderr
    assert f"Next: `lambda-warden init --output {tmp_path / 'none.yaml'}` makes one" in result.stderr


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["chek"], "'check'"),
        (["records", "lst"], "Did you mean 'list'?"),
        (["records", "list", "--lmit", "3"], "Did you mean '--limit'?"),
        (["serve"], "`lambda-warden init` makes a manifest"),
        (["check"], "give the file of a manifest, or LAMBDA_WARDEN_MANIFEST; `lambda-warden init` makes one"),
        (["explain", "f"], "give --manifest a manifest, or LAMBDA_WARDEN_MANIFEST; `lambda-warden init` makes one"),
        (["lock"], "`lambda-warden init` makes one"),
        (["install", "cursor"], "`lambda-warden init` makes one"),
        (["records", "--records", "/dev/null/none", "show", "x"], "is written once `lambda-warden serve` runs"),
    ],
    ids=" ".join,
)
def test_an_error_says_what_to_type_next(words: list[str], expected: str) -> None:
    result = run(*words)
    assert result.exit_code != 0
    assert expected in result.stderr


def test_an_error_shows_all_that_it_quotes(tmp_path: Path) -> None:
    template = tmp_path / "template.yaml"
    template.write_text("Resources: {a: *\u202eevil}")
    result = run("init", "--template", str(template), "--account", "123456789012", "--region", "us-east-1")
    assert result.exit_code == 1
    assert "*\\u202eevil" in result.stderr
    assert "\u202e" not in result.stderr


def test_the_manifest_that_init_wrote_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / ".config" / "lambda-warden"
    folder.mkdir(parents=True)
    path = write_manifest(folder, "http://127.0.0.1:9", [allow("f")])
    assert f"LAMBDA_WARDEN_MANIFEST; there is {path}" in run("doctor").stderr


def test_the_warning_of_a_manifest_that_lies_in_the_home_says_what_helps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "ana"))
    for folder, step in ((tmp_path / "project", "Move it elsewhere"), (tmp_path / "ana", "in a folder of its own")):
        folder.mkdir()
        (folder / "manifest.yaml").touch()
        warn_of_manifests_in(folder, [folder / "manifest.yaml", folder / "none.yaml"])
        said = capsys.readouterr().err
        assert step in said
        assert "none.yaml" not in said


@pytest.mark.parametrize("command", ["serve", "doctor"])
def test_help_has_each_setting_below_its_topic(command: str) -> None:
    assert sorted(name for names in TOPICS.values() for name in names) == sorted(Settings.model_fields)
    shown = run(command, "--help").stdout
    assert re.findall(r"^(\w[\w ]*):$", shown, re.M) == ["Options", *TOPICS]
    http = shown.partition("\nHTTP:\n")[2].partition("\n\n")[0]
    assert re.findall(r"^  (--[a-z-]+)", http, re.M) == [
        *("--http", "--http-token-file", "--http-allowed-host", "--session-idle", "--session-limit"),
    ]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], "--manifest FILE (LAMBDA_WARDEN_MANIFEST) or --demo"),
        (["--demo", "--manifest", "m.yaml"], "either"),
        (["--demo", "--read-timeout", "0"], "x>0"),
        (["--demo", "--log-level", "LOUD"], "'debug', 'info', 'warning', 'error'"),
        (["--demo", "--concurrency", "0"], "1<=x<=1024"),
        (["--demo", "--queue", "-1"], "x>=0"),
        (["--demo", "--http", "8000"], "Expected: HOST:PORT to serve"),
        (["--demo", "--endpoint-url", "127.0.0.1:4566"], "Expected: another endpoint"),
        (["--demo", "--shutdown-grace", "-1"], "0<=x<=5460"),
        (["--demo", "--shutdown-grace", "5461"], "0<=x<=5460"),
        (["--demo", "--idempotency-ttl", "5459"], "x>=5460"),
    ],
)
def test_bad_options_are_one_clear_error(options: list[str], expected: str) -> None:
    result = run("serve", *options)
    assert result.exit_code == 2
    assert expected in result.stderr


def _settings_of(monkeypatch: pytest.MonkeyPatch, *options: str, env: Mapping[str, str] | None = None) -> Settings:
    """What `serve` would start a server with."""
    started: list[Settings] = []
    monkeypatch.setattr(cli, "_serve", lambda _, settings, *__: started.append(settings))
    assert run("serve", "--manifest", "manifest.yaml", *options, env=env).exit_code == 0
    (settings,) = started
    return settings


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("queue", "0", 0),
        ("shutdown-grace", "0", 0.0),
        ("shutdown-grace", "2.5", 2.5),
        ("idempotency-ttl", "5460", 5460.0),
        ("concurrency", "1024", 1024),
        ("read-timeout", "5", 5.0),
    ],
)
def test_an_option_and_its_variable_set_the_same(
    option: str, value: str, expected: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    field = option.replace("-", "_")
    assert getattr(_settings_of(monkeypatch, f"--{option}", value), field) == expected
    variable = {f"LAMBDA_WARDEN_{field.upper()}": value}
    assert getattr(_settings_of(monkeypatch, env=variable), field) == expected


def test_an_option_with_several_values_is_given_several_times_or_parted_by_spaces(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = _settings_of(monkeypatch, "--auth-audience", "a", "--auth-audience", "b", "--auth-algorithm", "es256")
    assert (given.auth_audience, given.auth_algorithms) == (("a", "b"), ("ES256",))
    variables = {"LAMBDA_WARDEN_AUTH_AUDIENCE": "a b", "LAMBDA_WARDEN_AUTH_ALGORITHM": "ES256 EdDSA"}
    by_variable = _settings_of(monkeypatch, env=variables)
    assert (by_variable.auth_audience, by_variable.auth_algorithms) == (("a", "b"), ("ES256", "EdDSA"))
    assert _settings_of(monkeypatch).auth_required_scopes == ()


def test_records_and_results_stand_where_a_path_or_a_url_says(monkeypatch: pytest.MonkeyPatch) -> None:
    by_path = _settings_of(monkeypatch, "--records", "~/r.sqlite3")
    assert (by_path.records, by_path.results_store) == (Path.home() / "r.sqlite3", Path.home() / "results.sqlite3")
    url = "sqlite:///var/lib/warden/r.sqlite3"
    by_url = _settings_of(monkeypatch, env={"LAMBDA_WARDEN_RECORDS": url, "LAMBDA_WARDEN_RESULTS": f"{url}.results"})
    assert (by_url.records, by_url.results_store) == (url, f"{url}.results")
    assert _settings_of(monkeypatch, "--records", url).results_store == Path("/var/lib/warden/results.sqlite3")
    assert (by_path.payload_key, by_url.payload_key) == (
        Path.home() / "payloads.key",
        Path("/var/lib/warden/payloads.key"),
    )
    in_table = _settings_of(monkeypatch, "--records", "dynamodb://calls?region=eu-north-1")
    assert in_table.payload_key == state_file("payloads.key")


def test_without_a_word_the_options_have_the_defaults_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = _settings_of(monkeypatch)
    assert settings == Settings(records=settings.records)
    assert (settings.queue, settings.shutdown_grace, settings.idempotency_ttl) == (1024, 10, 86_400)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--region", "eu-west-1"], "region 'eu-west-1' is in no target of the manifest. Expected one of: us-east-1"),
        (["--profile", "nobody"], "nobody"),
        (["--records", "/dev/null/records"], "/dev/null/records can't be used"),
        (
            ["--records", "redis://localhost/0"],
            "redis is no kind of store: sqlite, dynamodb, s3, or the path of a file",
        ),
        (
            ["--results", "redis://localhost/0"],
            "redis is no kind of store: sqlite, dynamodb, s3, or the path of a file",
        ),
    ],
)
def test_settings_that_do_not_fit_stop_the_start(options: list[str], expected: str, tmp_path: Path) -> None:
    path = write_manifest(tmp_path, "http://127.0.0.1:9", [allow("f")])
    result = run("serve", "--manifest", str(path), "--records", str(tmp_path / "r.sqlite3"), *options)
    assert result.exit_code == 1
    assert expected in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize("command", [("records", "list"), ("result", "x" * 32)])
def test_a_store_of_an_unknown_kind_is_refused_by_who_reads(
    command: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"LAMBDA_WARDEN_{'RECORDS' if command[0] == 'records' else 'RESULTS'}", "redis://localhost/0")
    result = run(*command)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "Error: redis is no kind of store: sqlite, dynamodb, s3, or the path of a file\n"


def test_schema_prints_the_manifests_json_schema() -> None:
    assert json.loads(run("schema").stdout) == manifest_json_schema()


@pytest.mark.anyio
async def test_every_option_is_also_a_variable(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    """The endpoint comes from a variable alone: the manifest's target names none."""
    path = write_manifest(tmp_path, "http://127.0.0.1:9", [allow("f"), allow("sleep-2000")])
    path.write_text(path.read_text().replace("endpoint_url: http://127.0.0.1:9", "profile: ops"))
    (tmp_path / "config").write_text("[profile ops]\nregion = eu-west-1\n")
    server = stdio(path, tmp_path)
    server.args = ["-m", "lambda_warden", "serve"]
    server.env = (server.env or {}) | {
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "LAMBDA_WARDEN_MANIFEST": str(path),
        "LAMBDA_WARDEN_ENDPOINT_URL": endpoint.url,
        "LAMBDA_WARDEN_SIGN_REQUEST": "false",
        "LAMBDA_WARDEN_RECORDS": str(tmp_path / "here.sqlite3"),
        "LAMBDA_WARDEN_READ_TIMEOUT": "1",
    }
    async with Client(server) as client:
        result = await client.call_tool("invoke_function", {"function": "f:live", "payload": 1})
        assert structured(result)["payload"] == 1
        slow = await client.call_tool("invoke_function", {"function": "sleep-2000:live", "timeout_seconds": 9})
        assert structured(slow)["error"]["code"] == "DeadlineExceeded"
    assert "authorization" not in endpoint.started[0].headers
    assert (tmp_path / "here.sqlite3").exists()


@pytest.mark.anyio
async def test_requests_are_signed_with_the_credentials_that_boto3_finds(
    endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    path = write_manifest(tmp_path, endpoint.url, [allow("f")])
    server = stdio(path, tmp_path)
    server.args.remove("--no-sign-request")
    async with Client(server) as client:
        await client.call_tool("invoke_function", {"function": "f:live"})
    authorization = endpoint.started[0].headers["authorization"]
    assert authorization.startswith("AWS4-HMAC-SHA256 Credential=testing/")
    assert "/us-east-1/lambda/aws4_request" in authorization


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("options", "outcome"),
    [([], "refused"), (["--ca-bundle", "CA"], "succeeded"), (["--no-verify-ssl"], "succeeded")],
    ids=["unknown authority", "CA bundle", "verification off"],
)
async def test_certificates_are_checked_as_set(options: list[str], outcome: str, tmp_path: Path) -> None:
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with scripted_endpoint(context) as endpoint:
        assert endpoint.url.startswith("https://")
        path = write_manifest(tmp_path, endpoint.url, [allow("f")])
        options = [str(tmp_path / "ca.pem") if option == "CA" else option for option in options]
        async with Client(stdio(path, tmp_path, *options)) as client:
            result = structured(await client.call_tool("invoke_function", {"function": "f:live"}))
        assert result["outcome"] == outcome
        assert len(endpoint.started) == (outcome == "succeeded")


@pytest.mark.anyio
async def test_debug_logging_keeps_payloads_and_signatures_to_itself(
    endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    path = write_manifest(tmp_path, endpoint.url, [allow("f")])
    server = stdio(path, tmp_path, "--log-level", "DEBUG")
    server.args.remove("--no-sign-request")
    log = tmp_path / "stderr.log"
    with log.open("w") as errlog:
        async with Client(stdio_client(server, errlog)) as client:
            await client.call_tool("invoke_function", {"function": "f:live", "payload": {"card": "4111-1111"}})
    logged = log.read_text()
    assert logged
    assert "4111-1111" not in logged
    assert "Credential=" not in logged
