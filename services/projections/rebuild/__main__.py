"""`python -m services.projections.rebuild`: one of the processes that a rebuild starts; not for people."""

import gc

import uvloop

from services.projections.rebuild.read import main

gc.set_threshold(100_000, 50, 100)  # as in projections' own process: a batch lives and dies together, without cycles
uvloop.run(main())
