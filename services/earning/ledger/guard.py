"""Guard: the one place where every error is caught, so that a fault of ours in one fact or member stops nobody else."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import structlog

from services.earning.ledger.dead_letters import internal_error
from services.earning.state.standing import RowsMissingError
from shared.errors import PermanentError

log = structlog.get_logger(__name__)

P = ParamSpec("P")
R = TypeVar("R")


def catch_faults(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R | PermanentError:
    """Do a piece of pure work; where it can't be done, gives why.

    Raises:
        RowsMissingError: it can be done once more is loaded.
    """
    try:
        return work(*args, **kwargs)
    except PermanentError as error:
        return error
    except RowsMissingError:
        raise
    except Exception as error:  # the one place: everything else goes on
        log.exception("decision failed")
        return internal_error(error)
