"""A read model of a test's own: which shops each member's point events came from."""

from services.projections.models import StateModel
from tests.integration.projections.sources.fold import Source, fold_source, source_of

MODEL = StateModel(
    name="sources",
    package=__name__,
    columns=("partition", "program", "member", "source", "sequence", "events", "net"),
    key=("program", "member", "source", "partition"),
    subject_of=source_of,
    fold=fold_source,
    values=Source.values,
)
