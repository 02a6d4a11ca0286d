"""`tallystick topics create|check`: the topics, with every setting written out."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Annotated

import typer

from deploy import topics as plan
from services.cli.connections import Bootstrap, Json, bootstrap_or_local, kafka, local_directory, shards_of
from services.cli.console import Exit, err, print_json, print_table
from shared.topics import Topics

app = typer.Typer(help="Topics: create them, check their settings.", no_args_is_help=True)


@app.command()
def create(*, bootstrap_servers: Bootstrap = "", as_json: Json = False) -> None:
    """Create the topics that are missing, with every setting written out; existing ones are left as they are.

    Facts and points get POINTS_PARTITIONS partitions each (default: 64). Choose it once: members don't move between
    partitions. Names come from TOPIC_ORDERS, TOPIC_POINTS and so on.

    Example: `POINTS_PARTITIONS=64 tallystick topics create`
    """
    where = bootstrap_or_local(bootstrap_servers)
    with kafka(where):
        made = asyncio.run(plan.create(where, Topics(), shards_of(local_directory())))
    if as_json:
        print_json({"created": made})
        return
    for name in made:
        typer.echo(f"created {name}")
    if not made:
        typer.echo("nothing to do: all topics are there")


@app.command()
def check(
    *,
    fix: Annotated[bool, typer.Option("--fix", help="Set right what is a mere setting, then check again.")] = False,
    bootstrap_servers: Bootstrap = "",
    as_json: Json = False,
) -> None:
    """Compare the topics with what they should be: each difference, and its cure. Exit code 1 where there is one.

    Example: `tallystick topics check --json`
    """
    where = bootstrap_or_local(bootstrap_servers)
    with kafka(where):
        found = asyncio.run(_differences(where, fix=fix))
    if as_json:
        print_json(*map(asdict, found))
    elif not found:
        typer.echo(f"all {len(Topics().all)} topics are as they should be")
    else:
        rows = [(each.topic, each.setting, each.wanted, each.found, each.cure) for each in found]
        print_table(f"{len(found)} differences", ("topic", "setting", "should be", "is", "cure"), rows)
    if found:
        raise typer.Exit(Exit.FINDING)


async def _differences(where: str, *, fix: bool) -> list[plan.Difference]:
    shards = shards_of(local_directory())
    found = await plan.differences(where, Topics(), shards)
    settings = [difference for difference in found if difference.cure == plan.FIX]
    if not (fix and settings):
        return found
    for topic in dict.fromkeys(difference.topic for difference in settings):
        wanted = {each.setting: each.wanted for each in settings if each.topic == topic}
        await plan.change(where, topic, wanted)
        err().print(f"{topic}: set {', '.join(f'{name}={value}' for name, value in wanted.items())}", soft_wrap=True)
    return await plan.differences(where, Topics(), shards)
