"""Planted defects: small wrong changes, each with the promise it breaks and the checks that must catch it."""

from tests.chaos.defects import elsewhere, in_decide, in_earning
from tests.chaos.defects.planting import Defect

DEFECTS: tuple[Defect, ...] = (*in_decide.DEFECTS, *in_earning.DEFECTS, *elsewhere.DEFECTS)
