"""Where systemd puts a unit's credentials."""

from pathlib import Path

import pytest

from lambda_app.host.environment import credential_path


def test_credential_path_is_none_when_not_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    assert credential_path("pgpass-stream") is None

    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert credential_path("pgpass-stream") is None

    (tmp_path / "pgpass-stream").touch()
    assert credential_path("pgpass-stream") == tmp_path / "pgpass-stream"
