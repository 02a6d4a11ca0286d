"""The whole truth of the schema is written down, and the migrations come to it."""

import pytest

from deploy.schema import OWNED, file_of, schema_of


@pytest.mark.parametrize("service", OWNED)
def test_the_migrations_come_to_the_schema_that_is_written_down(dsn: str, service: str) -> None:
    assert schema_of(dsn, service) == file_of(service).read_text("utf-8"), "it has changed: `make schema`"
