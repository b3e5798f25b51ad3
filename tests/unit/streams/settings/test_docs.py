"""The reference is complete, and the committed file and example are up to date."""

from __future__ import annotations

from pathlib import Path

from streams.settings import Platform, Settings, load_settings
from streams.settings.docs import main, reference

ROOT = Path(__file__).resolve().parents[4]


def test_the_committed_reference_is_up_to_date(tmp_path: Path) -> None:
    made = tmp_path / "configuration.md"
    assert main([str(made)]) == 0
    committed = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    remedy = "run `python -m streams.settings.docs docs/configuration.md`"
    assert made.read_text(encoding="utf-8") == committed, remedy


def test_every_setting_is_described() -> None:
    text = reference()
    for name, field in Settings.model_fields.items():
        assert f"[{name}]" in text
        section = field.annotation
        for setting in getattr(section, "model_fields", Platform.model_fields):
            assert f"| `{setting}` |" in text


def test_the_example_works() -> None:
    settings = load_settings(str(ROOT / "interest-stream.toml"), env={})
    assert settings.platform_names() == ("video", "shop", "news")
    assert [settings.platform(name).ids for name in ("video", "shop", "news")] == [
        "shared",
        "linked",
        "linked",
    ]


def test_the_example_names_only_defaults_where_it_could_leave_them_out() -> None:
    """So that the example can't drift from the settings."""
    example = load_settings(str(ROOT / "interest-stream.toml"), env={})
    plain = load_settings(
        None,
        {
            "INTEREST_STREAM__PLATFORMS": '[{"name": "video"}, {"name": "shop", "ids": "linked"},'
            ' {"name": "news", "ids": "linked"}]'
        },
    )
    for name in Settings.model_fields:
        if name != "platforms":
            assert getattr(example, name) == getattr(plain, name)
