from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import pytest

from lambda_warden import __version__
from lambda_warden.aws.clients import Clients
from lambda_warden.errors import SettingsError
from lambda_warden.model.target import Target
from lambda_warden.settings import Settings

Get = Callable[[Clients, str, str], Any]

GETS: Final[list[Get]] = [Clients.for_invoking, Clients.for_reading, Clients.logs]
ACCOUNT = "123456789012"
OTHER_ACCOUNT = "210987654321"


def clients(*targets: Target, **settings: Any) -> Clients:
    """Clients for the given targets, or for one ordinary account."""
    ordinary = Target(account=ACCOUNT, regions=["us-east-1", "eu-west-1"])
    return Clients(Settings(records=Path("unused"), **settings), targets or [ordinary])


def config(client: Any) -> Any:
    return client.meta.config


def access_key(client: Any) -> str | None:
    """The access key that the client signs with, as its signature shows it."""
    query = parse_qs(urlsplit(client.generate_presigned_url("list_functions")).query)
    return query["X-Amz-Credential"][0].split("/")[0] if "X-Amz-Credential" in query else None


def verification(client: Any) -> bool | str | None:
    # There is no public way to ask a client what it verifies.
    verify: bool | str | None = client._endpoint.http_session._verify
    return verify


@pytest.fixture(autouse=True)
def aws_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS config files with two profiles, one of which asks for retries."""
    (tmp_path / "config").write_text(
        "[profile ops]\nregion = ap-southeast-2\n\n[profile eager]\nretry_mode = legacy\nmax_attempts = 9\n"
    )
    (tmp_path / "credentials").write_text(
        "[ops]\naws_access_key_id = OPSKEY\naws_secret_access_key = secret\n\n"
        "[eager]\naws_access_key_id = EAGERKEY\naws_secret_access_key = secret\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ENVKEY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    # Read by botocore too, though it is not named after AWS.
    for name in ("REQUESTS_CA_BUNDLE", "AWS_PROFILE", "AWS_DEFAULT_REGION", "AWS_CA_BUNDLE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)


def test_a_request_is_sent_once() -> None:
    assert config(clients().for_invoking(ACCOUNT, "us-east-1")).retries["total_max_attempts"] == 1


def test_neither_environment_nor_profile_can_bring_retries_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "7")
    monkeypatch.setenv("AWS_RETRY_MODE", "adaptive")
    made = clients(Target(account=ACCOUNT, regions=["us-east-1"], profile="eager"))

    found = config(made.for_invoking(ACCOUNT, "us-east-1"))
    assert found.retries["total_max_attempts"] == 1
    assert "max_attempts" not in found.retries


def test_the_settings_reach_the_client() -> None:
    made = clients(connect_timeout=3.5, read_timeout=77, concurrency=12)
    found = config(made.for_invoking(ACCOUNT, "us-east-1"))

    assert (found.connect_timeout, found.read_timeout, found.max_pool_connections) == (3.5, 77, 12)
    assert f"lambda-warden/{__version__}" in str(found.user_agent)


def test_a_wait_is_long_enough_for_the_longest_function_unless_set_otherwise() -> None:
    assert config(clients().for_invoking(ACCOUNT, "us-east-1")).read_timeout > 5400


def test_what_only_reads_is_asked_again_whatever_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    made = clients()

    for client in (made.for_reading(ACCOUNT, "us-east-1"), made.logs(ACCOUNT, "us-east-1")):
        assert config(client).retries["total_max_attempts"] == 3
        assert f"lambda-warden/{__version__}" in str(config(client).user_agent)


@pytest.mark.parametrize(("read_timeout", "waited"), [(960, 10), (10, 10), (4.5, 4.5)])
def test_what_only_reads_is_not_waited_for_as_long_as_a_function(read_timeout: float, waited: float) -> None:
    made = clients(read_timeout=read_timeout, connect_timeout=3.5)

    for client in (made.for_reading(ACCOUNT, "us-east-1"), made.logs(ACCOUNT, "us-east-1")):
        assert (config(client).read_timeout, config(client).connect_timeout) == (waited, 3.5)


def test_calls_that_read_and_calls_that_invoke_share_no_client_and_so_no_connection() -> None:
    made = clients(concurrency=1)

    assert made.for_reading(ACCOUNT, "us-east-1") is not made.for_invoking(ACCOUNT, "us-east-1")
    assert config(made.for_reading(ACCOUNT, "us-east-1")).max_pool_connections > 1


def test_only_the_client_that_invokes_has_tracked_connections() -> None:
    made = clients()

    def pools(client: Any) -> set[str]:
        # There is no public way to ask a client for the classes of its connections.
        classes = client._endpoint.http_session._pool_classes_by_scheme.values()
        return {getattr(pool, "func", pool).__module__ for pool in classes}

    assert pools(made.for_invoking(ACCOUNT, "us-east-1")) == {"lambda_warden.aws.tracked_connections"}
    assert pools(made.for_reading(ACCOUNT, "us-east-1")) == {"botocore.awsrequest"}
    assert pools(made.logs(ACCOUNT, "us-east-1")) == {"botocore.awsrequest"}


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1"])
def test_a_client_speaks_to_the_region_asked_for_whatever_the_environment_says(
    region: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "ap-southeast-2")
    made = clients(region="sa-east-1")

    for client in (made.for_invoking(ACCOUNT, region), made.for_reading(ACCOUNT, region)):
        assert client.meta.region_name == region
        assert client.meta.endpoint_url == f"https://lambda.{region}.amazonaws.com"
    assert made.logs(ACCOUNT, region).meta.endpoint_url == f"https://logs.{region}.amazonaws.com"


def test_an_endpoint_of_the_settings_stands_in_for_aws() -> None:
    client = clients(endpoint_url="http://127.0.0.1:4566").for_invoking(ACCOUNT, "eu-west-1")

    assert client.meta.endpoint_url == "http://127.0.0.1:4566"
    assert client.meta.region_name == "eu-west-1"


def test_an_endpoint_of_the_target_goes_before_one_of_the_settings() -> None:
    made = clients(
        Target(account=ACCOUNT, regions=["us-east-1"], endpoint_url="https://vpce-1.example"),
        Target(account=OTHER_ACCOUNT, regions=["us-east-1"]),
        endpoint_url="http://127.0.0.1:4566",
    )

    assert made.for_invoking(ACCOUNT, "us-east-1").meta.endpoint_url == "https://vpce-1.example"
    assert made.for_reading(ACCOUNT, "us-east-1").meta.endpoint_url == "https://vpce-1.example"
    assert made.for_invoking(OTHER_ACCOUNT, "us-east-1").meta.endpoint_url == "http://127.0.0.1:4566"


def test_each_account_is_reached_with_the_profile_of_its_target() -> None:
    made = clients(
        Target(account=ACCOUNT, regions=["us-east-1"], profile="ops"),
        Target(account=OTHER_ACCOUNT, regions=["us-east-1"], profile="eager"),
        Target(account="000000000000", regions=["us-east-1"]),
    )

    assert access_key(made.for_invoking(ACCOUNT, "us-east-1")) == "OPSKEY"
    assert access_key(made.for_invoking(OTHER_ACCOUNT, "us-east-1")) == "EAGERKEY"
    assert access_key(made.for_invoking("000000000000", "us-east-1")) == "ENVKEY"


def test_a_profile_of_the_settings_serves_targets_that_name_none() -> None:
    made = clients(
        Target(account=ACCOUNT, regions=["us-east-1"]),
        Target(account=OTHER_ACCOUNT, regions=["us-east-1"], profile="eager"),
        profile="ops",
    )

    assert access_key(made.for_invoking(ACCOUNT, "us-east-1")) == "OPSKEY"
    assert access_key(made.for_invoking(OTHER_ACCOUNT, "us-east-1")) == "EAGERKEY"


def test_a_profile_s_region_does_not_move_a_client() -> None:
    made = clients(Target(account=ACCOUNT, regions=["us-east-1"], profile="ops"))

    assert made.for_invoking(ACCOUNT, "us-east-1").meta.region_name == "us-east-1"


@pytest.mark.parametrize("settings", [{}, {"profile": "nobody"}], ids=["of a target", "of the settings"])
def test_a_profile_that_does_not_exist_is_told_before_any_call(settings: dict[str, str]) -> None:
    target = Target(account=ACCOUNT, regions=["us-east-1"], profile=None if settings else "nobody")

    with pytest.raises(SettingsError, match="nobody"):
        clients(target, **settings)


def test_an_aws_config_file_that_cannot_be_read_is_told_before_any_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken").write_text("[profile ops\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "broken"))

    with pytest.raises(SettingsError, match="broken"):
        clients()


@pytest.mark.parametrize(
    ("account", "region"),
    [
        pytest.param(OTHER_ACCOUNT, "us-east-1", id="another account"),
        pytest.param(ACCOUNT, "us-west-2", id="another region"),
        pytest.param(OTHER_ACCOUNT, "eu-west-1", id="the region of another account"),
    ],
)
def test_no_client_reaches_what_no_target_names(account: str, region: str) -> None:
    made = clients(
        Target(account=ACCOUNT, regions=["us-east-1", "eu-west-1"]),
        Target(account=OTHER_ACCOUNT, regions=["ap-southeast-2"]),
    )

    for get in (made.for_invoking, made.for_reading, made.logs):
        with pytest.raises(KeyError):
            get(account, region)


@pytest.mark.parametrize("get", GETS)
def test_a_client_is_made_once_for_each_place(get: Get) -> None:
    made = clients()
    client = get(made, ACCOUNT, "us-east-1")

    assert get(made, ACCOUNT, "us-east-1") is client
    assert get(made, ACCOUNT, "eu-west-1") is not client


@pytest.mark.parametrize("get", GETS)
def test_threads_that_ask_at_once_share_one_client(get: Get) -> None:
    made = clients()
    ready = threading.Barrier(8)
    found: list[object] = []

    def ask() -> None:
        ready.wait()
        found.append(get(made, ACCOUNT, "us-east-1"))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 8
    assert len(set(map(id, found))) == 1


def test_a_call_does_not_wait_for_the_client_of_another_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Making a client reads files; with a client in place nothing is waited for."""
    made = clients()
    ready = made.for_invoking(ACCOUNT, "us-east-1")
    building, released = threading.Event(), threading.Event()

    def build(*_: object, **__: object) -> object:
        building.set()
        released.wait(30)
        return object()

    monkeypatch.setattr(made, "_build", build)
    other = threading.Thread(target=made.for_invoking, args=(ACCOUNT, "eu-west-1"))
    other.start()
    assert building.wait(30)
    found: list[object] = []
    asking = threading.Thread(target=lambda: found.append(made.for_invoking(ACCOUNT, "us-east-1")))
    asking.start()
    asking.join(30)
    assert found == [ready]
    released.set()
    other.join(30)


def test_requests_are_signed_unless_the_settings_say_otherwise() -> None:
    for get in (Clients.for_invoking, Clients.for_reading):
        assert access_key(get(clients(), ACCOUNT, "us-east-1")) == "ENVKEY"
        assert access_key(get(clients(sign_requests=False), ACCOUNT, "us-east-1")) is None


def test_certificates_are_verified_unless_the_settings_say_otherwise(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"

    for get in GETS:
        assert verification(get(clients(), ACCOUNT, "us-east-1")) is True
        assert verification(get(clients(ca_bundle=bundle), ACCOUNT, "us-east-1")) == str(bundle)
        assert verification(get(clients(verify_ssl=False), ACCOUNT, "us-east-1")) is False
        assert verification(get(clients(verify_ssl=False, ca_bundle=bundle), ACCOUNT, "us-east-1")) is False


def test_a_bundle_of_the_environment_counts_where_the_settings_name_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "environment.pem"))

    assert verification(clients().for_invoking(ACCOUNT, "us-east-1")) == str(tmp_path / "environment.pem")


def test_the_default_region_is_that_of_the_settings_profile_whatever_profiles_the_targets_have(tmp_path: Path) -> None:
    others = ["p0", "p1", "p2", "p3", "p4", "p5"]
    with (tmp_path / "config").open("a") as file:
        file.writelines(f"[profile {name}]\nregion = eu-central-1\n" for name in others)
    targets = [Target(account=f"{i:012}", regions=["us-east-1"], profile=name) for i, name in enumerate(others)]
    plain = Target(account=ACCOUNT, regions=["us-east-1"])

    assert clients(*targets, plain, profile="ops").default_region() == "ap-southeast-2"
    assert clients(*targets, plain).default_region() is None


def test_without_a_region_anywhere_there_is_no_default_region() -> None:
    assert clients().default_region() is None


def test_the_default_region_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")

    assert clients().default_region() == "eu-west-1"
