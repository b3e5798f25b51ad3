"""The section ``[http]``: health, metrics, look-ups."""

from __future__ import annotations

from typing import Final, Self

from pydantic import Field, SecretStr, model_validator

from streams.settings.base import Section

MIN_TOKEN: Final = 16


class Http(Section):
    """The worker's web server: health, metrics, views of users."""

    host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="Address to listen on; `0.0.0.0` for all. Beyond this machine, looking at a "
        "user needs `token`.",
    )
    port: int = Field(default=6066, ge=1, le=65_535, description="Port to listen on.")
    token: SecretStr = Field(
        default=SecretStr(""),
        description="What a request for a user must carry (`Authorization: Bearer ...`), at least "
        "16 characters; best set in the environment. Without one, users can be looked at only "
        "where `host` is this machine. Health and metrics never need it.",
    )
    token_file: str = Field(default="", description="A file with the token, in place of `token`.")

    @model_validator(mode="after")
    def _one_token(self) -> Self:
        token = self.token.get_secret_value()
        if token and self.token_file:
            raise ValueError("has a token and a token_file; keep one of them")
        if 0 < len(token) < MIN_TOKEN:
            raise ValueError(
                f"has a token of {len(token)} characters; make it at least {MIN_TOKEN}, for "
                "instance with `openssl rand -hex 32`"
            )
        return self
