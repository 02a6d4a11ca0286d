"""The reference: schemas, AsyncAPI and pages, all made from the code that reads and writes the bytes.

`python -m deploy.reference` writes them, `--check` only says which have drifted.
"""
