"""The settings: arguments win over ``RAG_*`` variables, and those over ``rag.toml``, in which unknown keys are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from rag.errors import ConfigError

CONFIG_FILE = "rag.toml"


class Config(BaseSettings):
    """What a user may set. A model is a name that ``rag models`` lists, a local folder, or a hub id."""

    model_config = SettingsConfigDict(env_prefix="RAG_", toml_file=CONFIG_FILE, frozen=True, extra="forbid")

    index: Path = Path("index")
    encoder: str = "all-minilm-l6-v2"
    generator: str = "qwen2.5-coder-0.5b-instruct"
    passage_tokens: int = Field(default=160, ge=32, le=256, description="budget of one passage, in the encoder's tokens")
    passages_read: int = Field(default=8, ge=1, le=20, description="how many passages evidence is looked for in")
    checker: bool = Field(default=True, description="whether a trained network looks for the answer and checks each sentence")
    follow_ups: bool = Field(default=True, description="whether a question may lean on the one before it in a chat")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources: arguments win over the environment, the environment over the file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def load_config(**arguments: Any) -> Config:  # noqa: ANN401 - pydantic checks each value
    """Return the settings; an argument that is None counts as not given.

    :raises ConfigError: a key is unknown, a value is out of range, or ``rag.toml`` cannot be read.
    """
    try:
        return Config(**{key: value for key, value in arguments.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"setting {key!r}: {first['msg']}; see {CONFIG_FILE}, RAG_{key.upper()} or rag --help") from None
    except ValueError as error:  # broken TOML
        raise ConfigError(f"{CONFIG_FILE} cannot be read: {error}; mend it or move it away") from None
